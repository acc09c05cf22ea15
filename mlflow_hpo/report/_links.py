"""Addresses in MLflow's UI, and the store's own as it may be shown."""

from __future__ import annotations

from urllib.parse import quote

from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.report._facts import StudyFacts
from mlflow_hpo.tracking import names

_LOCAL_UI = "http://127.0.0.1:5000"


def run_link(study: StudyFacts, run_id: str) -> str:
    """Return the address of a run; of a store without a server, as `mlflow ui` will serve it."""
    return f"{_ui(study)}/#/experiments/{quote(study.experiment_id)}/runs/{quote(run_id)}"


def trials_link(study: StudyFacts) -> str:
    """Return the address of all trials of a study as charts, the best first."""
    query = {
        "searchFilter": f"tags.`{names.PARENT_RUN_ID}` = '{study.run_id}'",
        "orderByKey": f"metrics.`{study.metric}`" if study.metric else "attributes.start_time",
        "orderByAsc": str(not study.greater_is_better).lower(),
        "compareRunsMode": "CHART",
    }
    asked = "&".join(f"{name}={quote(text)}" for name, text in query.items())
    return f"{_ui(study)}/#/experiments/{quote(study.experiment_id)}/runs?{asked}"


def model_link(study: StudyFacts, name: str, version: str) -> str:
    """Return the address of a registered version."""
    return f"{_ui(study)}/#/models/{quote(name, safe='')}/versions/{quote(version)}"


def has_server(study: StudyFacts) -> bool:
    """Return whether the store is a server, whose addresses are true for everybody."""
    return study.tracking_uri.startswith(("http://", "https://"))


def shown_uri(study: StudyFacts) -> str:
    """Return the store's URI as it may be shown."""
    return without_credentials(study.tracking_uri)


def _ui(study: StudyFacts) -> str:
    return shown_uri(study).rstrip("/") if has_server(study) else _LOCAL_UI
