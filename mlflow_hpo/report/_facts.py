"""A study as plain data: what the report tells of, apart from where it was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_hpo.tracking import names


@dataclass(frozen=True)
class TrialFacts:
    """A trial as MLflow has it, its times and its failure included.

    Parameters
    ----------
    number : int
        Its number in the study, from 0.
    run_id, status : str
        MLflow's.
    params : mapping of str to str
    metrics : mapping of str to float
        The last value of each; NaN and infinities too.
    score : float or None
        The metric that the study ranks by, where it is finite.
    start_ms : int
    end_ms : int or None
        None while it runs.
    error : str or None
        The last line of its traceback.
    """

    number: int
    run_id: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    score: float | None
    start_ms: int
    end_ms: int | None
    error: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.end_ms is None else max(0, self.end_ms - self.start_ms) / 1000

    @property
    def is_scored(self) -> bool:
        """Whether it has ended well, with a score."""
        return self.status == "FINISHED" and self.score is not None


@dataclass(frozen=True)
class StudyFacts:
    """A study as MLflow has it.

    Parameters
    ----------
    run_id, experiment_id, name, status : str
        MLflow's, of the study's run.
    tracking_uri : str
        The store it was read from.
    tags, params : mapping of str to str
        Of the study's run.
    metric : str or None
        What trials are ranked by; None before the first score.
    greater_is_better : bool
        Direction of the metric.
    start_ms : int
    end_ms : int or None
        None while it runs.
    read_ms : int
        When this was read.
    trials : sequence of TrialFacts
        By number.
    best : TrialFacts or None
        The search's own choice.
    model_id : str or None
        The logged model of the best: the refitted one, or else the best trial's.
    """

    run_id: str
    experiment_id: str
    name: str
    status: str
    tracking_uri: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metric: str | None
    greater_is_better: bool
    start_ms: int
    end_ms: int | None
    read_ms: int
    trials: Sequence[TrialFacts]
    best: TrialFacts | None
    model_id: str | None

    @property
    def is_running(self) -> bool:
        """Whether the study has not ended yet."""
        return self.status in ("RUNNING", "SCHEDULED")

    @property
    def strategy(self) -> str:
        """Which search it is."""
        return self.tags.get(names.STRATEGY) or self.params.get("search.strategy", "search")

    @property
    def seconds(self) -> float:
        """Wall time from its beginning to its end, or until it was read."""
        return max(0, (self.end_ms or self.read_ms) - self.start_ms) / 1000

    @property
    def scored(self) -> list[TrialFacts]:
        """The trials that have a score, by number."""
        return [trial for trial in self.trials if trial.is_scored]

    @property
    def failed(self) -> list[TrialFacts]:
        """The trials that came to no good end, by number."""
        return [trial for trial in self.trials if trial.status in ("FAILED", "KILLED")]

    @property
    def ranked(self) -> list[TrialFacts]:
        """All trials, the best score first, those without a score last."""
        sign = -1.0 if self.greater_is_better else 1.0
        return sorted(self.trials, key=lambda trial: (not trial.is_scored, sign * (trial.score or 0.0), trial.number))

    def beats(self, one: float, other: float) -> bool:
        """Return whether a score is better than another."""
        return one > other if self.greater_is_better else one < other


@dataclass(frozen=True)
class Curve:
    """A metric by epoch, of one fit.

    Parameters
    ----------
    metric : str
        Its name, without `val_`.
    is_validation : bool
        Whether it was measured on validation data.
    fold : int or None
        Split index from 0; None for a fit outside of folds.
    fit : int
        Which fit of the fold or trial it was, from 0.
    is_refit : bool
        Whether the best candidate was being refitted on all data.
    steps : sequence of int
        Epochs, from 0.
    values : sequence of float
    """

    metric: str
    is_validation: bool
    fold: int | None
    fit: int
    is_refit: bool
    steps: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model that came out of a study.

    Parameters
    ----------
    name, version : str
    aliases : sequence of str
    """

    name: str
    version: str
    aliases: Sequence[str]

    @property
    def uri(self) -> str:
        """How MLflow loads it."""
        return f"models:/{self.name}@{self.aliases[0]}" if self.aliases else f"models:/{self.name}/{self.version}"
