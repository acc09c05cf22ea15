"""What is written about a study, as plain data: the texts and numbers that MLflow will keep, in the order they came.

A record holds no live object, so that it can wait in a file until the store takes it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrialBegan:
    """The run of a trial begins.

    Parameters
    ----------
    trial : int
        Its number in the study, from 0.
    name : str
        What the run is called.
    params, tags : mapping of str to str
        Of the run.
    time_ms : int
        When, in milliseconds since 1970.
    run_id : str or None
        The run that the trial has already, from an earlier start of the study.
    """

    trial: int
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    time_ms: int
    run_id: str | None = None


@dataclass(frozen=True)
class Logged:
    """Params, metrics, tags and text artifacts of a run.

    Parameters
    ----------
    trial : int or None
        Whose run; None is the study's own.
    time_ms : int
        Of the metrics.
    step : int
        Of the metrics.
    params, tags : mapping of str to str
    metrics : mapping of str to float
    texts : mapping of str to str
        Content by the artifact's path.
    """

    trial: int | None
    time_ms: int
    step: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredModel:
    """A packed model in a file of the spool.

    Parameters
    ----------
    file : str
        Its name there.
    name : str
        What the model is called on its run's page.
    params : mapping of str to str
        The candidate's parameters.
    metrics : mapping of str to float
        Those of its run that count for the model.
    """

    file: str
    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialDone:
    """A trial is over.

    Parameters
    ----------
    trial : int
        Its number in the study, from 0.
    status : str
        MLflow's.
    time_ms : int
        When, in milliseconds since 1970.
    score : float or None
        What the trial is ranked by, greater is better.
    models : tuple of StoredModel
        The models to keep.
    """

    trial: int
    status: str
    time_ms: int
    score: float | None = None
    models: tuple[StoredModel, ...] = ()


@dataclass(frozen=True)
class TrialMoved:
    """A trial of an earlier start belongs to this one.

    Parameters
    ----------
    trial : int
        Its number now.
    run_id : str
        The run that it has.
    time_ms : int
        When, in milliseconds since 1970.
    score : float or None
        What the trial is ranked by, greater is better.
    """

    trial: int
    run_id: str
    time_ms: int
    score: float | None = None


@dataclass(frozen=True)
class EarlierLeft:
    """An earlier start's run has given its trials to this one's.

    Parameters
    ----------
    run_id : str
        It is deleted, if none is left.
    """

    run_id: str


@dataclass(frozen=True)
class BestNoted:
    """Which trial is the best one now."""

    trial: int


@dataclass(frozen=True)
class DataSeen:
    """The data a study was run on.

    Parameters
    ----------
    dataset : mapping of str to str
        The fields of MLflow's own description.
    """

    dataset: Mapping[str, Any]


@dataclass(frozen=True)
class Concluded:
    """The search has come to its end.

    Parameters
    ----------
    model : StoredModel or None
        The refitted best.
    register_as : str or None
        Where the best model becomes a new version.
    alias : str
        Moves to it if it is better.
    """

    model: StoredModel | None = None
    register_as: str | None = None
    alias: str = "champion"


@dataclass(frozen=True)
class StudyDone:
    """The study's run ends."""

    status: str
    time_ms: int


Record = TrialBegan | Logged | TrialDone | TrialMoved | EarlierLeft | BestNoted | DataSeen | Concluded | StudyDone

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (TrialBegan, Logged, TrialDone, TrialMoved, EarlierLeft, BestNoted, DataSeen, Concluded, StudyDone)
}


def to_bytes(record: Record) -> bytes:
    """Return a record as JSON.

    Examples
    --------
    >>> from_bytes(to_bytes(StudyDone("FINISHED", 5)))
    StudyDone(status='FINISHED', time_ms=5)
    """
    # The default values need no room: most of a study's records are epochs.
    fields = {
        item.name: value
        for item in dataclasses.fields(record)
        if (value := getattr(record, item.name)) or value == 0 or item.default is dataclasses.MISSING
    }
    return json.dumps([type(record).__name__, fields], default=dataclasses.asdict, separators=(",", ":")).encode()


def from_bytes(data: bytes) -> Record:
    """Return the record that `to_bytes` wrote."""
    kind, fields = json.loads(data)
    for name in ("models", "model"):
        if name in fields:
            value = fields[name]
            fields[name] = tuple(StoredModel(**model) for model in value) if name == "models" else StoredModel(**value)
    record: Record = _KINDS[kind](**fields)
    return record
