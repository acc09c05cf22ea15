"""What an earlier start of a study has left in MLflow: its run, and the results of its trials, to the last bit."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_hpo.core.errors import NotFoundError, did_you_mean
from mlflow_hpo.core.events import SCORE_ERROR
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.read import children_of, read_study_run

_FINAL = ("FINISHED", "FAILED")
# Of a fit that failed; the rest of a fold's result is numbers.
_ERROR_LENGTH = 5000
# Starts that died one after the other before they had taken over what there was.
_MOST_STARTS = 100


@dataclass(frozen=True)
class EarlierTrial:
    """A trial of an earlier start.

    Parameters
    ----------
    run_id : str
        Its run.
    is_over : bool
        Whether it came to its end.
    results : mapping of str to object
        Its recorded results, by their keys.
    """

    run_id: str
    is_over: bool
    results: Mapping[str, Any]


@dataclass
class EarlierStudy:
    """An earlier start of a study; each of its trials is given away once.

    Parameters
    ----------
    run_id : str or None
        Its run; None where there was none.
    parts : mapping of str to str
        Digests of what its results depend on.
    params : mapping of str to str
        Those of its run.
    is_over : bool
        Whether it came to its end.
    older : tuple of str
        The runs of starts before it: it may have died before it had all of their trials.
    """

    run_id: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    is_over: bool = False
    older: tuple[str, ...] = ()
    _trials: dict[str, deque[EarlierTrial]] = field(default_factory=lambda: defaultdict(deque))

    def take(self, key: str) -> EarlierTrial | None:
        """Return the next trial with a key: candidates can repeat, and each repetition has its own."""
        trials = self._trials.get(key)
        return trials.popleft() if trials else None

    def add(self, older: EarlierStudy) -> None:
        """Take the trials of an older start, after those that are here."""
        self.older = (*self.older, *([older.run_id] if older.run_id else []))
        for key, trials in older._trials.items():
            self._trials[key].extend(trials)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs of all starts."""
        return self.older if self.run_id is None else (self.run_id, *self.older)

    @property
    def n_trials(self) -> int:
        """How many trials have not been given away."""
        return sum(len(trials) for trials in self._trials.values())


def find_earlier(client: MlflowClient, experiment_id: str, name: str) -> EarlierStudy:
    """Return the latest start of a study that has a name, with the trials of those before it.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
        Where it is looked for.
    name : str
        Of the study.
    """
    runs = _runs_called(client, experiment_id, name, _MOST_STARTS)
    if not runs:
        return EarlierStudy()
    found = found_in(client, runs[0])
    for run in runs[1:]:
        found.add(found_in(client, run))
    return found


def study_called(client: MlflowClient, experiment_id: str, name: str) -> Run:
    """Return the run of another study.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
        Where a name is looked for.
    name : str
        The study's name, or the id of its run.

    Raises
    ------
    NotFoundError
        There is none.
    """
    runs = _runs_called(client, experiment_id, name, 1)
    if runs:
        return runs[0]
    try:
        return read_study_run(name)
    except NotFoundError:
        studies = client.search_runs([experiment_id], f"tags.`{names.KIND}` = 'study'", max_results=1000)
        known = [study.data.tags.get(names.STUDY, study.info.run_id) for study in studies]
        raise NotFoundError(
            f"No study {name!r} in this experiment, and no run of a study with that id.{did_you_mean(name, known)}"
        ) from None


def found_in(client: MlflowClient, run: Run) -> EarlierStudy:
    """Return what a study has found.

    Parameters
    ----------
    client : MlflowClient
    run : Run
        The study's.
    """
    found = EarlierStudy(
        run.info.run_id,
        json.loads(run.data.tags.get(names.PARTS, "{}")),
        run.data.params,
        run.info.status == "FINISHED",
    )
    children = children_of(client, run.info.experiment_id, run.info.run_id)
    for child in sorted(children, key=lambda child: int(child.data.tags[names.TRIAL])):
        key = child.data.tags.get(names.TRIAL_KEY)
        if key is not None:
            found._trials[key].append(_trial(child))
    return found


def _runs_called(client: MlflowClient, experiment_id: str, name: str, most: int) -> list[Run]:
    """Return the runs of the starts of a study, the latest first."""
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    query = f"tags.`{names.KIND}` = 'study' AND tags.`{names.STUDY}` = '{quoted}'"
    return list(client.search_runs([experiment_id], query, max_results=most, order_by=["attributes.start_time DESC"]))


def _trial(run: Run) -> EarlierTrial:
    tags = run.data.tags
    return EarlierTrial(
        run.info.run_id,
        run.info.status in _FINAL and names.LOST not in tags,
        {
            name.removeprefix(names.RESULT): json.loads(text, object_hook=_decoded)
            for name, text in tags.items()
            if name.startswith(names.RESULT)
        },
    )


def result_tag(key: str, result: Any) -> dict[str, str]:
    """Return the tag that records a result so that it comes back to the last bit.

    Parameters
    ----------
    key : str
        Under which it is found again.
    result : object
        Numbers, texts, and mappings and lists of them.

    Returns
    -------
    dict of str to str
        Empty where the result is something else, or too long for MLflow.
    """
    try:
        text = json.dumps(_shortened(result), default=_encoded)
    except TypeError:
        return {}
    tag = {names.key(f"{names.RESULT}{key}"): text}
    return tag if names.tag_value(text) == text else {}


def _shortened(result: Any) -> Any:
    if not isinstance(result, dict):
        return result
    errors = {name: error for name in ("fit_error", SCORE_ERROR) if isinstance(error := result.get(name), str)}
    return {**result, **{name: error[-_ERROR_LENGTH:] for name, error in errors.items()}}


def _encoded(value: Any) -> Any:
    if isinstance(value, np.generic):
        return {"numpy": value.dtype.str, "value": value.item()}
    raise TypeError(f"{type(value).__name__} is not recorded")


def _decoded(content: dict[str, Any]) -> Any:
    return np.dtype(content["numpy"]).type(content["value"]) if set(content) == {"numpy", "value"} else content
