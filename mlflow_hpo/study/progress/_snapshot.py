"""What is known of a study at one moment: plain data that displays are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.events import RunStatus
from mlflow_hpo.tracking.runs import StudyRun


@dataclass(frozen=True)
class Running:
    """A fold that runs; or a trial without folds, or one whose next folds wait; or the refit.

    Parameters
    ----------
    trial, fold : int or None
        Numbers from 0; a trial of None is the refit.
    params : mapping of str to object
        The trial's.
    epochs : int
        How many have ended.
    metrics : mapping of str to float
        Those of the last epoch.
    """

    trial: int | None
    fold: int | None
    params: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A trial that has ended.

    Parameters
    ----------
    number : int
        From 0.
    status : RunStatus
    params : mapping of str to object
    value, spread : float or None
        What it is ranked by, in the user's own direction, and the standard deviation over its folds.
    score : float or None
        The same for ranking: greater is better.
    seconds : float or None
        None where an earlier start of the study has run it.
    error : str or None
        Why it failed, in one line.
    is_best : bool
        Whether it beat all before it.
    count : int
        How many trials had ended with it.
    """

    number: int
    status: RunStatus
    params: Mapping[str, Any]
    value: float | None = None
    spread: float | None = None
    score: float | None = None
    seconds: float | None = None
    error: str | None = None
    is_best: bool = False
    count: int = 0

    @property
    def is_ranked(self) -> bool:
        """Whether it has a score that can be compared."""
        return math.isfinite(self.rank)

    @property
    def rank(self) -> float:
        """The score, NaN where there is none."""
        return math.nan if self.score is None else self.score


@dataclass(frozen=True)
class Snapshot:
    """A study at one moment.

    Parameters
    ----------
    name, strategy : str
    run : StudyRun
    began_ms : int
        When it began; times are in milliseconds since 1970.
    n_trials : int or None
        How many trials there will be, where that is known.
    n_known : int
        How many the search has asked for so far.
    n_ended, n_failed, n_replayed, n_stopped : int
        Trials that are over: all but those stopped; of these, those that failed, and those that an earlier start has
        found; and those that were stopped with the study.
    first_ms, last_ms : int or None
        When the first trial of this start began, and when the last one ended.
    running : tuple of Running
    best : Ended or None
    leaders : tuple of Ended
        The best ones, best first.
    last_error : str or None
        Why the last trial that failed did.
    is_refitting : bool
        Whether all trials are over.
    registered : tuple of (str, str) or None
        Name and version of the registered model.
    stopped : str or None
        Why the search ended early.
    """

    name: str
    strategy: str
    run: StudyRun
    began_ms: int
    n_trials: int | None
    n_known: int = 0
    n_ended: int = 0
    n_failed: int = 0
    n_replayed: int = 0
    n_stopped: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    running: tuple[Running, ...] = ()
    best: Ended | None = None
    leaders: tuple[Ended, ...] = ()
    last_error: str | None = None
    is_refitting: bool = False
    registered: tuple[str, str] | None = None
    stopped: str | None = None

    @property
    def n_running(self) -> int:
        """How many trials run."""
        return len({running.trial for running in self.running if running.trial is not None})

    def seconds(self, now_ms: int) -> float:
        """Return how long the study has been running."""
        return max(0, now_ms - self.began_ms) / 1000

    def seconds_left(self, now_ms: int) -> float | None:
        """Return how long the remaining trials will take, if they take as long as those that this start has finished.

        None where that cannot be said: nothing has finished, it is not known how many there will be, or the last one
        takes longer than any before.
        """
        n_own = self.n_ended - self.n_replayed
        if self.n_trials is None or self.first_ms is None or self.last_ms is None or n_own == 0:
            return None
        each = (self.last_ms - self.first_ms) / n_own
        # What runs may take longer than it should; then the wait for the others has not become shorter.
        left = each * (self.n_trials - self.n_ended) - min(max(0, now_ms - self.last_ms), each)
        return left / 1000 if left > 0 else None
