"""What a study has found: best parameters, table of results, refitted model, registration."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.errors import NotFoundError
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.read import best_trial_of, model_ids, read_study_run
from mlflow_hpo.tracking.records import Logged
from mlflow_hpo.tracking.registry import Registration, register_model
from mlflow_hpo.tracking.store import connect

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyOutcome:
    """What a study has found.

    Parameters
    ----------
    params : mapping of str to object
        The best candidate's parameters; empty where the search names none.
    table : DataFrame or None
        All candidates with their results, `cv_results_` say.
    estimator : estimator or None
        The best candidate, refitted on all data.
    """

    params: Mapping[str, Any]
    table: pd.DataFrame | None = None
    estimator: Any = None


def outcome_record(outcome: StudyOutcome) -> Logged:
    """Return what is written on the study's run about what the study has found."""
    params = names.params({f"best.{name}": value for name, value in outcome.params.items()})
    texts = {} if outcome.table is None else {"cv_results.csv": outcome.table.to_csv(index=False)}
    return Logged(None, now_ms(), params=params, texts=texts)


def register_best(
    run_id: str, *, name: str, alias: str = "champion", promote: bool = False, tracking_uri: str | None = None
) -> Registration:
    """Register the best model of a study: the refitted one, or the best trial's where none was refitted.

    Parameters
    ----------
    run_id : str
        The study's run.
    name : str
        The registered model.
    alias : str
        Moves to the new version if its score beats that of the version that has the alias.
    promote : bool
        Move the alias in any case.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Raises
    ------
    NotFoundError
        There is no such study, or it kept no model.
    """
    client = connect(tracking_uri)
    study = read_study_run(run_id, tracking_uri)
    best = best_trial_of(study, client)
    trial = client.get_run(best.run_id)
    return register_model(
        client,
        _best_model_id(study, trial),
        name=name,
        alias=alias,
        score=math.nan if best.score is None else best.score,
        metric=study.data.tags[names.METRIC],
        greater_is_better=study.data.tags.get(names.DIRECTION) == "True",
        study_run_id=run_id,
        params=best.params,
        promote=promote,
        trial_key=trial.data.tags.get(names.TRIAL_KEY),
    )


def register_outcome(client: MlflowClient, run_id: str, name: str, alias: str) -> list[str] | None:
    """Register a study's best model at its end; a study that kept no model is passed over with a warning.

    Returns
    -------
    list of str or None
        Name and version.
    """
    try:
        registration = register_best(run_id, name=name, alias=alias, tracking_uri=client.tracking_uri)
    except NotFoundError as error:
        _logger.warning("Nothing was registered as %r. %s", name, error)
        return None
    _logger.info("%s version %s: %s", registration.name, registration.version, registration.reason)
    return [registration.name, registration.version]


def _best_model_id(study: Run, trial: Run) -> str:
    for run in (study, trial):
        if models := model_ids(run):
            return models[-1]
    raise NotFoundError(
        f"Study {study.info.run_id} kept no model of its best trial: search with refit=True, or with "
        "log_models='best_fold'."
    )
