"""Addresses in MLflow's UI, and the store's own as it may be shown."""

from __future__ import annotations

from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.report._facts import StudyFacts
from mlflow_hpo.tracking.links import model_path, run_path, ui_address, view_path


def run_link(study: StudyFacts, run_id: str) -> str:
    """Return the address of a run; of a store without a server, as `mlflow ui` will serve it."""
    return ui_address(study.tracking_uri, run_path(study.experiment_id, run_id))


def trials_link(study: StudyFacts, *, charts: bool = False) -> str:
    """Return the address of all trials of a study, the best first, as a table or as charts."""
    return ui_address(study.tracking_uri, view_path(study.experiment_id, study.run_id, charts=charts))


def model_link(study: StudyFacts, name: str, version: str) -> str:
    """Return the address of a registered version."""
    return ui_address(study.tracking_uri, model_path(name, version))


def shown_uri(study: StudyFacts) -> str:
    """Return the store's URI as it may be shown."""
    return without_credentials(study.tracking_uri)
