"""Studies that are shown: on a real terminal, line by line, or not at all, and never to a search's harm."""

from __future__ import annotations

import logging
import os
import pty
import sys
import threading
import time
import warnings
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from mlflow_hpo import GPSearchCV, GridSearchCV, HalvingGridSearchCV, Tracking, gp_minimize
from mlflow_hpo.core.space import Real
from mlflow_hpo.study.progress import _show
from mlflow_hpo.study.progress._choice import choose_display

CURSOR = "\x1b[?25h"  # a display that ends shows the cursor again
X, y = load_iris(return_X_y=True)
GRID = {"C": [0.1, 1.0, 10.0]}
LINES = Tracking(progress="lines", log_models="none", report=False)
AUTO = Tracking(log_models="none", report=False)


class Terminal:
    """A terminal of the test's own, and all that is written to it while it is entered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_show, "_LOOK_SECONDS", 0.01)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "100")
        self._master, slave = pty.openpty()
        self._stream = os.fdopen(slave, "w", buffering=1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._bytes = b""

    def _read(self) -> None:
        with os.fdopen(self._master, "rb", buffering=0) as master, suppress(OSError):  # when the other end is closed
            while written := master.read(65536):
                self._bytes += written

    @property
    def written(self) -> str:
        """What was written, when all is over."""
        self._reader.join()
        return self._bytes.decode()

    def __enter__(self) -> Terminal:
        self._reader.start()
        self._before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = self._stream
        return self

    def __exit__(self, *exc_info: object) -> None:
        is_restored = sys.stdout is sys.stderr is self._stream
        sys.stdout, sys.stderr = self._before
        self._stream.close()
        assert is_restored


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


class Talkative(LogisticRegression):
    """Says what it does, in all ways that there are."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        print(f"printed {self.C}")  # noqa: T201
        logging.getLogger("talkative").warning("logged %s", self.C)
        warnings.warn(f"warned {self.C}", UserWarning, stacklevel=1)
        time.sleep(0.03)  # a display that is renewed each 0.01 s has been so
        if self.C == 10.0:
            raise ValueError("too weak")
        return super().fit(X, y)


class Interrupting(LogisticRegression):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if self.C == 10.0:
            raise KeyboardInterrupt
        return super().fit(X, y)


@pytest.mark.filterwarnings("ignore")
def test_a_search_on_a_terminal(store, terminal):
    with terminal:
        handler = logging.StreamHandler(sys.stderr)
        logging.getLogger("talkative").addHandler(handler)
        try:
            GridSearchCV(Talkative(max_iter=2000), GRID, cv=2, tracking=AUTO).fit(X, y)
            assert handler.stream is sys.stderr
        finally:
            logging.getLogger("talkative").removeHandler(handler)
    live, ended, end = terminal.written.partition(CURSOR)
    assert ended
    for said in ("1 running", "1/3 trials", "best     ", "1 failed", "3/3 trials", "refitting the best", "/runs/"):
        assert said in live
    for said in ("printed 0.1", "[trial 000, fold 0] logged 0.1", "[trial 001, fold 1] logged 1.0", "[refit] logged"):
        assert said in live
    assert "3 trials in 0:" in end
    assert "1 failed, the last failure: ValueError: too weak" in end
    assert "Best score  0.96" in end
    assert "Look at it  mlflow ui --backend-store-uri sqlite:///" in end
    assert "running" not in end


def test_an_interrupt_leaves_the_terminal_in_order(store, terminal):
    search = GridSearchCV(Interrupting(max_iter=2000), GRID, cv=2, tracking=AUTO)
    with terminal, pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    _, ended, end = terminal.written.partition(CURSOR)
    assert ended
    assert "2 of 3 trials" in end
    assert "1 stopped" in end
    assert "Best score" in end


def test_a_stream_that_breaks_stops_no_search(store, monkeypatch):
    class Broken(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    search = GridSearchCV(LogisticRegression(max_iter=2000), GRID, cv=2, tracking=LINES).fit(X, y)
    monkeypatch.undo()
    assert search.best_params_


@pytest.mark.parametrize(
    ("search", "n"),
    [
        (lambda model: GridSearchCV(model, GRID, cv=2, n_jobs=2, tracking=LINES), 3),
        (lambda model: GPSearchCV(model, {"C": Real(0.1, 10)}, n_calls=3, cv=2, tracking=LINES), 3),
    ],
    ids=["grid", "gp"],
)  # fmt: skip
def test_a_line_for_each_trial(store, capsys, search, n):
    found = search(LogisticRegression(max_iter=2000)).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("]")[0] for line in lines[:n]] == [f"[{count}/{n}" for count in range(1, n + 1)]
    assert "best so far" in lines[0]
    assert f"Best score  {found.best_score_:.6g} (trial {found.best_index_:03d})" in lines
    assert (
        f"Study       http://127.0.0.1:5000/#/experiments/{found.study_.experiment_id}/runs/{found.study_.run_id}"
        in lines
    )


def test_the_best_of_a_halving_search_is_its_own_choice(store, capsys):
    found = HalvingGridSearchCV(
        LogisticRegression(max_iter=2000), {"C": [0.1, 1.0, 10.0, 100.0]}, cv=2, tracking=LINES, random_state=0
    ).fit(X, y)
    out = capsys.readouterr().out
    assert out.startswith("[1]  trial 000")
    assert f"Best score  {found.best_score_:.6g} (trial {found.best_index_:03d})" in out


def test_an_objective(store, capsys):
    gp_minimize(lambda point: (point[0] - 1) ** 2, [(-2.0, 2.0)], n_calls=3, n_initial_points=3, tracking=LINES)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("[3/3]  trial 002")
    costs = [float(line.split()[3]) for line in lines[:3]]
    (best,) = [line for line in lines if line.startswith("Best score")]
    assert float(best.split()[2]) == pytest.approx(min(costs), rel=1e-4)


class Nested(LogisticRegression):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        GridSearchCV(LogisticRegression(max_iter=2000), {"C": [self.C]}, cv=2, tracking=LINES).fit(X, y)
        return super().fit(X, y)


def test_of_searches_in_each_other_the_outer_is_shown(store, capsys):
    GridSearchCV(Nested(max_iter=2000), {"C": [1.0]}, cv=2, refit=False, tracking=LINES).fit(X, y)
    out = capsys.readouterr().out
    assert out.count("[1/1]") == 1
    assert out.count("Best score") == 1


def test_known_trials_are_said_to_be_so(store, capsys):
    def search() -> GridSearchCV:
        tracking = Tracking(study="again", progress="lines", log_models="none", report=False)
        return GridSearchCV(LogisticRegression(max_iter=2000), {"C": [0.1, 1.0]}, cv=2, tracking=tracking)

    search().fit(X, y)
    capsys.readouterr()
    search().fit(X, y)
    out = capsys.readouterr().out
    assert out.splitlines()[1].split("  ")[3] == "known"
    assert "2 trials in 0:0" in out
    assert "(2 known from an earlier start)" in out


@pytest.mark.parametrize("tracking", [AUTO, Tracking(progress="none", log_models="none", report=False)])
def test_a_program_without_a_terminal_says_nothing(store, capfd, tracking):
    GridSearchCV(LogisticRegression(max_iter=2000), GRID, cv=2, n_jobs=2, tracking=tracking).fit(X, y)
    assert capfd.readouterr() == ("", "")


def test_where_scikit_learn_prints_a_line_a_fold_it_does_so_alone(store, terminal):
    with terminal:
        GridSearchCV(LogisticRegression(max_iter=2000), GRID, cv=2, verbose=2, tracking=AUTO).fit(X, y)
    assert "[CV] END" in terminal.written
    assert "trials" not in terminal.written


def display_on_a_terminal() -> str:
    """Return the kind of display that a study has in this process, if it writes to a terminal."""
    before = sys.stdout
    master, slave = pty.openpty()
    try:
        with os.fdopen(slave, "w") as sys.stdout:
            return type(choose_display("auto", verbose=0)).__name__
    finally:
        sys.stdout = before
        os.close(master)


def test_worker_processes_leave_the_terminal_to_their_parent(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert display_on_a_terminal() == "TerminalDisplay"
    assert Parallel(n_jobs=2)([delayed(display_on_a_terminal)()]) == ["NoneType"]
