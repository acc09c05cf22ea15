"""When a study begins no more trials."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mlflow_hpo.study.failures import Failures
from mlflow_hpo.study.stopping import StopRule


class Clock:
    """Stands where it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_counts_from_the_first_trial_that_begins() -> None:
    clock = Clock()
    rule = StopRule(max_seconds=10, clock=clock)
    rule.note_end(1.0)  # replayed: it has not begun here
    clock.now = 100
    assert rule.reason is None
    rule.note_begin()
    clock.now = 109
    assert rule.reason is None
    clock.now = 110
    assert rule.reason == "its time is over (max_seconds=10)"


def test_time_is_never_over_before_a_trial_has_ended() -> None:
    clock = Clock()
    rule = StopRule(max_seconds=10, clock=clock)
    rule.note_begin()
    clock.now = 1000
    assert rule.reason is None
    rule.note_end(None)
    assert rule.is_out_of_time


def test_patience_counts_trials_since_the_best() -> None:
    rule = StopRule(patience=2)
    for score, is_over in [(0.5, False), (0.5, False), (0.6, False), (None, False), (math.nan, True)]:
        rule.note_end(score)
        assert rule.has_lost_patience is is_over
    assert rule.reason == "2 trials in a row were no better (patience=2)"


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False)), st.integers(1, 5))
def test_patience_is_that_of_the_plain_definition(ended: list[float], patience: int) -> None:
    rule = StopRule(patience=patience)
    for score in ended:
        rule.note_end(score)
    best = max((score for score in ended if not math.isnan(score)), default=None)
    since = len(ended) if best is None else len(ended) - 1 - ended.index(best)
    assert rule.has_lost_patience is (since >= patience)


def test_without_limits_a_study_goes_on() -> None:
    rule = StopRule()
    rule.note_begin()
    for _ in range(100):
        rule.note_end(0.0)
    assert rule.reason is None


def test_the_commonest_cause_is_told_if_nothing_went_right() -> None:
    failures = Failures()
    assert failures.summary is None
    for cause in ("ValueError: a", "KeyError: b", "KeyError: b"):
        failures.note(f"Traceback ...\n{cause}\n")
    assert failures.summary == "All 3 trials failed, 2 of them by: KeyError: b"
    failures.note(None)
    assert failures.summary is None
