"""Addresses in MLflow's UI."""

from __future__ import annotations

from mlflow_hpo.core.redact import without_credentials

_LOCAL_UI = "http://127.0.0.1:5000"


def run_link(tracking_uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run in MLflow's UI; of a store without a server, as `mlflow ui` will serve it.

    Examples
    --------
    >>> run_link("sqlite:///mlflow.db", "1", "abc")
    'http://127.0.0.1:5000/#/experiments/1/runs/abc'
    """
    base = without_credentials(tracking_uri).rstrip("/") if has_server(tracking_uri) else _LOCAL_UI
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}"


def has_server(tracking_uri: str) -> bool:
    """Return whether a store is a server, whose addresses are true for everybody."""
    return tracking_uri.startswith(("http://", "https://"))
