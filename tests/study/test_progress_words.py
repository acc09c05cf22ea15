"""How a study reads: the lines about its trials, the display, its end."""

from __future__ import annotations

import sys
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from progress_studies import Told
from rich.console import Console

from mlflow_hpo.core.events import RunStatus, SearchEnded, StudyConcluded
from mlflow_hpo.study.progress._displays import LinesDisplay, _bundle
from mlflow_hpo.study.progress._panel import leaderboard, panel
from mlflow_hpo.study.progress._words import conclusion, trial_line
from mlflow_hpo.tracking.links import view_path

LINK = f"http://127.0.0.1:5000/#/experiments/7/runs/{'a' * 32}"


def shown(renderable: Any, width: int = 100) -> list[str]:
    console = Console(record=True, width=width, file=StringIO())
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.fixture
def told() -> Told:
    """One trial is done, one has failed, two folds of a third run."""
    told = Told()
    told.run(0, 0.9123456, 1, 11)
    told.start(1, 1)
    told.end(1, None, 21, RunStatus.FAILED)
    told.start(2, 21)
    told.start_fold(2, 0)
    told.start_fold(2, 1)
    told.epoch(2, 1, 6, loss=0.123456, accuracy=0.5, val_loss=0.2)
    return told


def test_the_display(told):
    name, progress, best, *running, link = shown(panel(told.state.snapshot(), 31_000))
    assert name == "digits  GridSearchCV"
    assert progress.endswith("2/4 trials  1 running  1 failed  0:31, about 0:10 left")
    assert best == "best     0.91235 +/- 0.25  trial 000  C=0.5"
    assert running[0].split() == ["trial", "002", "fold", "0", "C=2.5"]
    assert running[1] == "trial 002  fold 1  epoch 7  loss 0.1235  val_loss 0.2  C=2.5"
    assert link == LINK


@pytest.mark.parametrize("width", [30, 60, 100])
def test_the_display_keeps_to_its_lines_on_a_narrow_terminal(told, width):
    told.start(3, 21, **{f"a_long_name_of_a_parameter_{index}": "x" * 50 for index in range(5)})
    lines = shown(panel(told.state.snapshot(), 31_000), width)
    assert len(lines) == 7
    assert max(map(len, lines)) <= width
    assert lines[3].startswith("trial 002  fold 0")


def test_more_folds_than_there_is_room_for_are_counted():
    told = Told(n_trials=20)
    for trial in range(11):
        told.start(trial)
    assert "and 3 more" in shown(panel(told.state.snapshot(), 1000))


def test_before_the_first_trial_and_after_the_last():
    told = Told(n_trials=1)
    assert shown(panel(told.state.snapshot(), 1000))[1].endswith("0/1 trials  starting  0:01")
    told.run(0, 0.5, 0, 1)
    told.state.hear(SearchEnded())
    told.epoch(None, None, 0, loss=1.0)
    lines = shown(panel(told.state.snapshot(), 2000))
    assert lines[1].endswith("1/1 trials  refitting the best  0:02")
    assert lines[3] == "refit  epoch 1  loss 1"


def test_a_halving_search_says_what_it_knows():
    told = Told(n_trials=None, n_first=9)
    told.run(0, 0.5, 0, 1)
    assert shown(panel(told.state.snapshot(), 5000))[1] == "1 of 9 trials so far  0:05"


def test_a_line_for_each_trial(told):
    told.end(2, 0.5, 22)
    lines = [trial_line(trial, 4) for trial in told.state.take_news()]
    assert lines == [
        "[1/4]  trial 000  0.91235 +/- 0.25  10.0 s  best so far  C=0.5",
        "[2/4]  trial 001  FAILED ValueError: too wide  20.0 s  C=1.5",
        "[3/4]  trial 002  0.5 +/- 0.25  1.0 s  C=2.5",
    ]


def test_the_end(told):
    told.end(2, 0.5, 25)
    told.state.hear(StudyConcluded(("digits", "3"), "no better trial"))
    now = told.state.snapshot()
    assert [line.split() for line in shown(leaderboard(now))] == [
        ["trial", "score", "+/-", "C", "time"],
        ["000", "0.91235", "0.25", "0.5", "0:10"],
        ["002", "0.5", "0.25", "2.5", "0:04"],
    ]
    assert list(conclusion(now, 83_000)) == [
        "3 of 4 trials in 1:23 (1 failed, the last failure: ValueError: too wide)",
        "Ended early no better trial",
        "Best score  0.912346 (trial 000)",
        "Best params clf__C=0.5",
        "Registered  digits version 3",
        f"Run         {'a' * 32} (digits)",
        "Look at it  mlflow ui --backend-store-uri sqlite:////data/mlflow.db",
        f"Study       {LINK}",
        f"Trials      http://127.0.0.1:5000/{view_path('7', 'a' * 32)}",
    ]


def test_what_a_study_is_made_of_cannot_command_the_terminal(capsys):
    told = Told(metric="mean_test_\x1b[2J")
    told.start(0, 0, **{"clf__\x1b[2J": "\x1b]0;title\x07"})
    told.end(0, 0.5)
    display = LinesDisplay()
    display.update(told.state.snapshot(), told.state.take_news())
    display.close(told.state.snapshot())
    out = capsys.readouterr().out + "\n".join(shown(panel(told.state.snapshot(), 1)))
    assert "\\x1b]0;title" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_markup_and_html_in_names_are_text():
    told = Told()
    told.start(0, 0, **{"clf__[red]<b>": "<script>"})
    told.end(0, 0.5)
    bundle = _bundle(panel(told.state.snapshot(), 1))
    assert "<script>" not in bundle["text/html"]
    assert "[red]&lt;b&gt;=&lt;script&gt;" in bundle["text/html"]
    assert f'href="{LINK}"' in bundle["text/html"]
    assert "[red]<b>=<script>" in bundle["text/plain"]


def test_a_stream_without_unicode_gets_lines_all_the_same(monkeypatch):
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="ascii"))
    told = Told()
    told.start(0, 0, größe="ß")
    told.end(0, 0.5)
    LinesDisplay().update(told.state.snapshot(), told.state.take_news())
    assert b"gr\\xf6\\xdfe=\\xdf" in written.getvalue()
