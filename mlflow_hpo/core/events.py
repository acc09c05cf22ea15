"""What happens in a study, as plain data: from wherever a trial runs, through the study, to the one writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.reporting import EpochEnded

# In the recorded results of folds, beside what scikit-learn keeps in them: where a scorer has raised.
SCORE_ERROR = "score_error"


class RunStatus(Enum):
    """How a trial or a study ended; the values are MLflow's."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True)
class CandidateTaken:
    """The search is about to evaluate one more candidate: a trial."""

    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class FoldStarted:
    """A fold begins to train, wherever it runs."""

    trial: int
    fold: int
    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class TrialStarted:
    """A trial's first fold begins.

    Parameters
    ----------
    trial : int
        Number of the trial in its study, from 0; the row of `cv_results_`.
    name : str
        What the trial's run is called.
    params : mapping of str to object
        The candidate's parameters.
    tags : mapping of str to str
        Further tags of the trial's run.
    run_id : str or None
        The run that the trial has already, from an earlier start of the study.
    """

    trial: int
    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class FoldEnded:
    """A fold's scores are in, under the names they have in `cv_results_`.

    Parameters
    ----------
    trial, fold : int
        Numbers from 0.
    metrics : mapping of str to float
        The scores and times.
    tags : mapping of str to str
        What else is noted on the trial's run.
    """

    trial: int
    fold: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)
    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class FittedModel:
    """A model that a trial has fitted.

    Parameters
    ----------
    fold : int or None
        Split index from 0, or None for a trial without folds.
    estimator : estimator or None
        The fitted estimator, where it was fitted in this process.
    packed : PackedModel or None
        The same as data, where it was fitted in another process.
    template : ModelTemplate or None
        What its signature and requirements are, where they differ from the study's.
    """

    fold: int | None
    estimator: Any = None
    packed: Any = None
    template: Any = None


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over.

    Parameters
    ----------
    trial : int
        Number of the trial in its study, from 0.
    status : RunStatus
        How it ended.
    metrics : mapping of str to float
        Mean and spread over the folds, under the names they have in `cv_results_`.
    score : float or None
        The score that trials of this study are ranked by, greater is better; None or NaN where there is none.
    error : str or None
        Traceback or cause of a failure.
    models : tuple of FittedModel
        The models to keep.
    tags : mapping of str to str
        What else is noted on the trial's run.
    """

    trial: int
    status: RunStatus
    metrics: Mapping[str, float]
    score: float | None = None
    error: str | None = None
    models: tuple[FittedModel, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class TrialReplayed:
    """A trial is what an earlier start of the study has found; nothing of it ran again.

    Parameters
    ----------
    trial : int
        Number of the trial in its study, from 0.
    run_id : str
        The run that it has.
    status : RunStatus
        How it ended.
    params : mapping of str to object
        The candidate's parameters.
    metrics : mapping of str to float
        Mean and spread over the folds.
    score : float or None
        The score that trials of this study are ranked by, greater is better.
    """

    trial: int
    run_id: str
    status: RunStatus
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    score: float | None = None
    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class BestChanged:
    """Another trial is the best one now: it has beaten all before it, or the search has decided so."""

    trial: int
    metric: str
    value: float
    params: Mapping[str, Any]
    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class SearchEnded:
    """All candidates have been evaluated; what follows is the refit of the best, and its registration."""

    time_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True)
class StudyConcluded:
    """All is kept.

    Parameters
    ----------
    registered : tuple of (str, str) or None
        Name and version of the registered model.
    stopped : str or None
        Why candidates of the search were not run; None where all were.
    """

    registered: tuple[str, str] | None
    stopped: str | None = None
    time_ms: int = field(default_factory=now_ms)


# What is written.
StudyEvent = TrialStarted | EpochEnded | FoldEnded | TrialEnded | TrialReplayed | BestChanged
# What whoever looks on is told.
ProgressEvent = StudyEvent | CandidateTaken | FoldStarted | SearchEnded | StudyConcluded
