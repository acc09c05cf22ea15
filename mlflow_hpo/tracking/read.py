"""Reading studies back from MLflow: their trials, the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from mlflow_hpo.core.errors import NotFoundError
from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.store import connect

_PAGE = 1000


@dataclass(frozen=True)
class TrialRecord:
    """A trial as MLflow has it.

    Parameters
    ----------
    number : int
        Its number in the study, from 0.
    run_id : str
    status : str
        MLflow's status of the run.
    params : mapping of str to str
    metrics : mapping of str to float
        The last value of each.
    score : float or None
        The metric that trials of the study are ranked by.
    """

    number: int
    run_id: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    score: float | None


def read_study_run(run_id: str, tracking_uri: str | None = None) -> Run:
    """Return the run of a study.

    Raises
    ------
    NotFoundError
        There is no such run, or it is not a study's.
    """
    try:
        run = connect(tracking_uri).get_run(run_id)
    except MlflowException as error:
        uri = without_credentials(tracking_uri or mlflow.get_tracking_uri())
        raise NotFoundError(f"No run {run_id!r} in {uri}. Look for its id in the MLflow UI.") from error
    if run.data.tags.get(names.KIND) != "study":
        raise NotFoundError(f"Run {run_id!r} is not the run of a study: give the run that its trials are nested in.")
    return run


def read_trial_records(run_id: str, tracking_uri: str | None = None) -> list[TrialRecord]:
    """Return the trials of a study, by their numbers."""
    study = read_study_run(run_id, tracking_uri)
    metric = study.data.tags.get(names.METRIC, "")
    records = [_record(run, metric) for run in children_of(connect(tracking_uri), study.info.experiment_id, run_id)]
    return sorted(records, key=lambda record: record.number)


def read_trials(run_id: str, tracking_uri: str | None = None) -> pd.DataFrame:
    """Return the trials of a study as a table.

    Parameters
    ----------
    run_id : str
        The study's run.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Returns
    -------
    DataFrame
        One row a trial, by number: `number`, `status`, `score`, a column for each parameter and each metric without a
        curve per split, `run_id`.
    """
    rows = [
        {"number": record.number, "status": record.status, "score": record.score}
        | dict(record.params)
        | {name: value for name, value in record.metrics.items() if "/" not in name}
        | {"run_id": record.run_id}
        for record in read_trial_records(run_id, tracking_uri)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["number", "status", "score", "run_id"])


def best_trial(run_id: str, tracking_uri: str | None = None) -> TrialRecord:
    """Return the best trial of a study, as its search has decided.

    Raises
    ------
    NotFoundError
        There is no such study, or no trial of it has a score.
    """
    return best_trial_of(read_study_run(run_id, tracking_uri), connect(tracking_uri))


def best_trial_of(study: Run, client: MlflowClient) -> TrialRecord:
    """Return the best trial of a study whose run has been read.

    Parameters
    ----------
    study : Run
        The study's run.
    client : MlflowClient
        Of its store.

    Raises
    ------
    NotFoundError
        No trial of it has a score.
    """
    best = study.data.tags.get(names.BEST_TRIAL)
    if best is None:
        raise NotFoundError(f"No trial of study {study.info.run_id} has a score.")
    return _record(client.get_run(best), study.data.tags[names.METRIC])


def _record(run: Run, metric: str) -> TrialRecord:
    return TrialRecord(
        number=int(run.data.tags[names.TRIAL]),
        run_id=run.info.run_id,
        status=run.info.status,
        params=run.data.params,
        metrics=run.data.metrics,
        score=run.data.metrics.get(metric),
    )


def children_of(client: MlflowClient, experiment_id: str, run_id: str, *, trial: int | None = None) -> Iterator[Run]:
    """Yield the runs of a study's trials, in no order.

    Parameters
    ----------
    client : MlflowClient
    experiment_id, run_id : str
        Of the study.
    trial : int or None
        The number of the one that is meant; None means all.
    """
    query = f"tags.`{names.PARENT_RUN_ID}` = '{run_id}' AND tags.`{names.KIND}` = 'trial'"
    if trial is not None:
        query += f" AND tags.`{names.TRIAL}` = '{trial}'"
    token: Any = None
    while True:
        page = client.search_runs([experiment_id], query, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def model_ids(run: Run) -> list[str]:
    """Return the ids of the models that a run has logged, the latest last."""
    return [str(output.model_id) for output in run.outputs.model_outputs] if run.outputs else []
