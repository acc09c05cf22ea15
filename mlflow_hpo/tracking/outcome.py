"""What a study has found, written on its run: best parameters, table of results, refitted model, registration."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Param, Run

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.core.errors import NotFoundError
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.models import ModelNotSavableError, ModelTemplate, log_saved_model, save_estimator
from mlflow_hpo.tracking.note import study_note
from mlflow_hpo.tracking.read import best_trial_of, read_study_run
from mlflow_hpo.tracking.registry import Registration, register_model
from mlflow_hpo.tracking.runs import StudyRun
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


def log_outcome(client: MlflowClient, run: StudyRun, outcome: StudyOutcome, template: ModelTemplate) -> None:
    """Write on the study's run what the study has found."""
    params = [Param(names.key(f"best.{name}"), names.param_value(value)) for name, value in outcome.params.items()]
    if params:
        client.log_batch(run.run_id, params=params)
    if outcome.table is not None:
        client.log_text(run.run_id, outcome.table.to_csv(index=False), "cv_results.csv")
    if outcome.estimator is not None:
        _log_refitted(client, run, outcome.estimator, template)
    study = read_study_run(run.run_id, run.tracking_uri)
    if names.BEST_TRIAL in study.data.tags:
        note = study_note(study, best_trial_of(study, run.tracking_uri))
        client.set_tag(run.run_id, names.NOTE, note)


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
    best = best_trial_of(study, tracking_uri)
    return register_model(
        client,
        _best_model_id(study, client.get_run(best.run_id)),
        name=name,
        alias=alias,
        score=math.nan if best.score is None else best.score,
        metric=study.data.tags[names.METRIC],
        greater_is_better=study.data.tags.get(names.DIRECTION) == "True",
        study_run_id=run_id,
        params=best.params,
        promote=promote,
    )


def register_outcome(run: StudyRun, tracking: Tracking) -> tuple[str, str] | None:
    """Register a study's best model as its tracking asks; a study that kept no model is passed over with a warning."""
    if tracking.register_as is None:
        return None
    try:
        registration = register_best(
            run.run_id, name=tracking.register_as, alias=tracking.alias, tracking_uri=run.tracking_uri
        )
    except NotFoundError as error:
        _logger.warning("Nothing was registered as %r. %s", tracking.register_as, error)
        return None
    _logger.info("%s version %s: %s", registration.name, registration.version, registration.reason)
    return registration.name, registration.version


def _log_refitted(client: MlflowClient, run: StudyRun, estimator: Any, template: ModelTemplate) -> None:
    with tempfile.TemporaryDirectory(prefix="mlflow_hpo-") as scratch:
        path = Path(scratch) / "model"
        try:
            save_estimator(estimator, path, template)
        except ModelNotSavableError as error:
            _logger.warning("The refitted model is not kept. %s", error)
            return
        log_saved_model(client, run.run_id, path, name="model", experiment_id=run.experiment_id)


def _best_model_id(study: Run, trial: Run) -> str:
    for run in (study, trial):
        models = run.outputs.model_outputs if run.outputs else []
        if models:
            return str(models[-1].model_id)
    raise NotFoundError(
        f"Study {study.info.run_id} kept no model of its best trial: search with refit=True, or with "
        "log_models='best_fold'."
    )
