"""Events of studies that never ran, for what is shown of them."""

from __future__ import annotations

from typing import Any

from mlflow_hpo.core.events import (
    CandidateTaken,
    FoldEnded,
    FoldStarted,
    RunStatus,
    TrialEnded,
    TrialStarted,
)
from mlflow_hpo.core.reporting import EpochEnded
from mlflow_hpo.study.progress._state import ProgressState
from mlflow_hpo.tracking.opening import StudyPlan
from mlflow_hpo.tracking.runs import StudyRun

RUN = StudyRun("a" * 32, "7", "sqlite:////data/mlflow.db", "shown")
TRACEBACK = (
    'Traceback (most recent call last):\n  File "m.py", line 1, in fit\n    grow()\nValueError: too wide\nby far'
)


class Told:
    """A state, and short ways to tell it what happens; times are in seconds."""

    def __init__(self, n_trials: int | None = 4, n_first: int = 4, **plan: Any) -> None:
        self.state = ProgressState(
            "digits", StudyPlan("GridSearchCV", None, {}, n_trials=n_trials, **plan), RUN, began_ms=0
        )
        for _ in range(n_first):
            self.state.hear(CandidateTaken())

    def start(self, trial: int, at: float = 0.0, **params: Any) -> None:
        self.state.hear(TrialStarted(trial, f"trial {trial}", params or {"clf__C": trial + 0.5}, time_ms=_ms(at)))

    def start_fold(self, trial: int, fold: int) -> None:
        self.state.hear(FoldStarted(trial, fold))

    def epoch(self, trial: int | None, fold: int | None, epoch: int, **metrics: float) -> None:
        self.state.hear(EpochEnded(trial, fold, 0, epoch, metrics))

    def end_fold(self, trial: int, fold: int) -> None:
        self.state.hear(FoldEnded(trial, fold, {f"split{fold}_test_score": 0.5}))

    def end(self, trial: int, score: float | None, at: float = 1.0, status: RunStatus = RunStatus.FINISHED) -> None:
        metrics = {} if score is None else {"mean_test_score": score, "std_test_score": 0.25}
        error = TRACEBACK if status is RunStatus.FAILED else None
        self.state.hear(TrialEnded(trial, status, metrics, score, error, time_ms=_ms(at)))

    def run(self, trial: int, score: float, begin: float, end: float) -> None:
        self.start(trial, begin)
        self.end(trial, score, end)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
