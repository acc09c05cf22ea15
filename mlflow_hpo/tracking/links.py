"""Addresses in MLflow's UI."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import quote, urlencode

from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.tracking import names

_LOCAL_UI = "http://127.0.0.1:5000"


class KeptStudy(Protocol):
    """Whatever says where a study is kept."""

    @property
    def tracking_uri(self) -> str:
        """The store."""

    @property
    def experiment_id(self) -> str:
        """MLflow's."""

    @property
    def run_id(self) -> str:
        """Of the study's run."""


def has_server(tracking_uri: str) -> bool:
    """Return whether the store is a server, whose addresses are true for everybody."""
    return tracking_uri.lower().startswith(("http://", "https://"))


def ui_address(tracking_uri: str, path: str) -> str:
    """Return the address of a page; of a store without a server, as `mlflow ui` will serve it.

    Examples
    --------
    >>> ui_address("sqlite:///mlflow.db", run_path("1", "abc"))
    'http://127.0.0.1:5000/#/experiments/1/runs/abc'
    """
    base = without_credentials(tracking_uri).rstrip("/") if has_server(tracking_uri) else _LOCAL_UI
    return f"{base}/{path}"


def run_path(experiment_id: str, run_id: str) -> str:
    """Return where the UI shows a run."""
    return f"#/experiments/{quote(experiment_id)}/runs/{quote(run_id)}"


def run_link(study: KeptStudy, run_id: str) -> str:
    """Return the address of a run of a study."""
    return ui_address(study.tracking_uri, run_path(study.experiment_id, run_id))


def trials_link(study: KeptStudy, *, charts: bool = False) -> str:
    """Return the address of all trials of a study, the best first, as a table or as charts."""
    return ui_address(study.tracking_uri, view_path(study.experiment_id, study.run_id, charts=charts))


def model_link(study: KeptStudy, name: str, version: str) -> str:
    """Return the address of a registered version that came out of a study."""
    return ui_address(study.tracking_uri, f"#/models/{quote(name, safe='')}/versions/{quote(version)}")


def view_key(run_id: str) -> str:
    """Return the key of the view that is prepared for a study: its own run's."""
    return names.OUR_VIEWS + run_id


def view_path(experiment_id: str, run_id: str, *, charts: bool = False) -> str:
    """Return where the UI shows the trials of a study in the view that was prepared for them (`view.py`).

    Without the workflow's name, the UI opens its pages about traces of language models first.

    Parameters
    ----------
    experiment_id, run_id : str
        Of the study.
    charts : bool
        As charts, not as a table.

    Examples
    --------
    >>> view_path("1", "abc", charts=True)
    '#/experiments/1/runs?viewStateShareKey=mlflow_hpo.abc&workflowType=machine_learning&compareRunsMode=CHART'
    """
    query = {"viewStateShareKey": view_key(run_id), "workflowType": "machine_learning"}
    return _runs_path(experiment_id, query | ({"compareRunsMode": "CHART"} if charts else {}))


def trials_path(experiment_id: str, run_id: str, metric: str, *, ascending: bool = False) -> str:
    """Return where the UI shows the trials of a study, sorted, without a prepared view.

    Examples
    --------
    >>> trials_path("1", "abc", "mean_test_score")[:40]
    '#/experiments/1/runs?searchFilter=tags.%'
    """
    query = {
        "searchFilter": trials_filter(run_id),
        "orderByKey": metric_key(metric),
        "orderByAsc": str(ascending).lower(),
        "workflowType": "machine_learning",
    }
    return _runs_path(experiment_id, query)


def trials_filter(run_id: str) -> str:
    """Return the search that finds the trials of a study."""
    return f"tags.`{names.PARENT_RUN_ID}` = '{run_id}'"


def metric_key(name: str) -> str:
    """Return what the UI calls the column of a metric."""
    return f"metrics.`{name}`"


def param_key(name: str) -> str:
    """Return what the UI calls the column of a parameter."""
    return f"params.`{name}`"


def _runs_path(experiment_id: str, query: dict[str, str]) -> str:
    return f"#/experiments/{quote(experiment_id)}/runs?{urlencode(query, quote_via=quote)}"
