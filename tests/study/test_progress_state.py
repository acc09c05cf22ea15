"""What is known of a study while it runs, from its events alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from progress_studies import RUN, Told

from mlflow_hpo.core.events import BestChanged, RunStatus, SearchEnded, StudyConcluded, TrialReplayed


def test_folds_that_run_are_known_with_their_last_epoch():
    told = Told()
    told.start(0)
    told.start_fold(0, 0)
    told.start_fold(0, 1)
    told.epoch(0, 1, 0, loss=2.0)
    told.epoch(0, 1, 1, loss=1.0)
    first, second = told.state.snapshot().running
    assert (first.trial, first.fold, first.epochs) == (0, 0, 0)
    assert (second.fold, second.epochs, second.metrics) == (1, 2, {"loss": 1.0})
    told.end_fold(0, 1)
    assert [running.fold for running in told.state.snapshot().running] == [0]


def test_a_trial_between_its_folds_runs_still():
    told = Told()
    told.start(3)
    told.start_fold(3, 0)
    told.end_fold(3, 0)
    (running,) = told.state.snapshot().running
    assert (running.trial, running.fold, running.params) == (3, None, {"clf__C": 3.5})
    assert told.state.snapshot().n_running == 1


def test_an_epoch_that_comes_after_its_trial_has_ended_is_no_news():
    told = Told()
    told.run(0, 0.5, 0, 1)
    told.epoch(0, 0, 5, loss=1.0)
    told.start_fold(0, 0)
    assert told.state.snapshot().running == ()


def test_the_refit_is_shown():
    told = Told()
    told.state.hear(SearchEnded())
    told.epoch(None, None, 2, loss=1.0)
    now = told.state.snapshot()
    assert now.is_refitting
    assert (now.running[0].trial, now.running[0].epochs) == (None, 3)
    assert now.n_running == 0


def test_the_best_is_the_first_with_the_highest_score():
    told = Told()
    for trial, score in enumerate([0.5, 0.7, math.nan, 0.7]):
        told.run(trial, score, trial, trial + 1)
    now = told.state.snapshot()
    assert now.best is not None
    assert (now.best.number, now.best.value, now.best.spread) == (1, 0.7, 0.25)
    assert [trial.number for trial in now.leaders] == [1, 3, 0]
    assert [trial.is_best for trial in told.state.take_news()] == [True, True, False, False]
    assert told.state.take_news() == []


def test_a_cost_is_shown_as_it_is():
    told = Told(metric="objective", greater_is_better=False)
    told.start(0)
    told.end(0, -3.0)
    best = told.state.snapshot().best
    assert best is not None
    assert (best.value, best.spread) == (3.0, None)


def test_the_search_has_the_last_word():
    told = Told()
    told.run(0, 0.9, 0, 1)
    told.run(1, 0.8, 1, 2)
    told.state.hear(BestChanged(1, "mean_test_score", 0.8, {"clf__C": 1.5}))
    best = told.state.snapshot().best
    assert best is not None
    assert (best.number, best.value, best.seconds) == (1, 0.8, 1.0)


def test_failed_stopped_and_known_trials_are_counted_apart():
    told = Told()
    told.start(0)
    told.end(0, None, status=RunStatus.FAILED)
    told.start(1)
    told.end(1, None, status=RunStatus.KILLED)
    told.state.hear(TrialReplayed(2, "r", RunStatus.FINISHED, {"C": 1}, {"mean_test_score": 0.5}, 0.5))
    now = told.state.snapshot()
    assert (now.n_ended, now.n_failed, now.n_stopped, now.n_replayed) == (2, 1, 1, 1)
    assert now.last_error == "ValueError: too wide"
    assert now.running == ()
    assert [trial.number for trial in told.state.take_news()] == [0, 2]


def test_what_was_registered_is_known():
    told = Told()
    told.state.hear(StudyConcluded(("digits", "3"), "no better"))
    now = told.state.snapshot()
    assert (now.registered, now.stopped, now.run) == (("digits", "3"), "no better", RUN)


def test_there_is_no_estimate_before_a_trial_has_finished():
    told = Told()
    told.start(0, 0)
    assert told.state.snapshot().seconds_left(60_000) is None


def test_nor_from_trials_that_an_earlier_start_has_found():
    told = Told()
    told.state.hear(TrialReplayed(0, "r", RunStatus.FINISHED, {}, {"mean_test_score": 0.5}, 0.5))
    told.start(1, 0)
    assert told.state.snapshot().seconds_left(1000) is None


def test_nor_where_nobody_knows_how_many_there_will_be():
    told = Told(n_trials=None)
    told.run(0, 0.5, 0, 1)
    now = told.state.snapshot()
    assert (now.n_known, now.n_ended) == (4, 1)
    assert now.seconds_left(1000) is None


def test_nor_when_the_last_trial_takes_longer_than_it_should():
    told = Told(n_trials=2)
    told.run(0, 0.5, 0, 10)
    told.start(1, 10)
    assert told.state.snapshot().seconds_left(15_000) == pytest.approx(5)
    assert told.state.snapshot().seconds_left(30_000) is None


@given(n=st.integers(2, 50), done=st.integers(1, 49), each=st.floats(0.01, 1e4), share=st.floats(0, 0.99))
def test_trials_of_one_length_are_foreseen_exactly(n, done, each, share):
    done = min(done, n - 1)
    expected = each * (n - done - share)
    assume(expected > 0.002)  # times are whole milliseconds: of less, nothing may be left
    told = Told(n_trials=n)
    for trial in range(done):
        told.run(trial, 0.5, each * trial, each * (trial + 1))
    left = told.state.snapshot().seconds_left(round(1000 * each * (done + share)))
    assert left == pytest.approx(expected, abs=0.01 * n)


_events = st.lists(
    st.tuples(
        st.sampled_from(["start", "fold", "epoch", "end_fold", "fail", "kill", "end"]),
        st.integers(0, 5),
        st.integers(0, 2),
        st.floats(-1, 1) | st.just(math.nan),
    ),
    max_size=60,
)


@given(_events)
def test_whatever_happens_the_numbers_add_up(events):
    told, begun, over, scores = Told(n_trials=6), set(), set(), []
    for kind, trial, fold, score in events:
        is_open = trial in begun and trial not in over
        if kind == "start" and trial not in begun:
            told.start(trial)
            begun.add(trial)
        elif kind == "fold":
            told.start_fold(trial, fold)
        elif kind == "epoch":
            told.epoch(trial, fold, 0, loss=score)
        elif kind == "end_fold":
            told.end_fold(trial, fold)
        elif kind in ("fail", "kill", "end") and is_open:
            status = {"fail": RunStatus.FAILED, "kill": RunStatus.KILLED, "end": RunStatus.FINISHED}[kind]
            told.end(trial, score, status=status)
            over.add(trial)
            scores += [score] if kind == "end" and not math.isnan(score) else []
    now = told.state.snapshot()
    assert now.n_ended + now.n_stopped == len(over)
    assert now.n_running == len(begun - over)
    assert {running.trial for running in now.running} == begun - over
    assert (None if now.best is None else now.best.score) == max(scores, default=None)
    assert [leader.score for leader in now.leaders] == sorted(scores, reverse=True)[:5]
    assert [trial.count for trial in told.state.take_news()] == list(range(1, now.n_ended + 1))
    left = now.seconds_left(2000)
    assert left is None or left > 0
