"""Choosing the tracking store from the command line, and seeing that it answers before anything trains."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from mlflow_hpo.core.errors import InvalidArgumentError

_URI = "MLFLOW_TRACKING_URI"
_EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
_PROJECT_RUN = "MLFLOW_RUN_ID"
_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


def choose_store(tracking_uri: str | None, experiment_name: str | None) -> None:
    """Make MLflow use a store and an experiment, and see that both can be used.

    Parameters
    ----------
    tracking_uri : str or None
        None is what MLflow would use by itself.
    experiment_name : str or None
        It is made where there is none of this name. None is what MLflow would use by itself.

    Raises
    ------
    InvalidArgumentError
        The store does not answer, or the experiment cannot be used.
    """
    in_project = bool(os.environ.get(_PROJECT_RUN))
    if in_project and (tracking_uri or experiment_name):
        raise InvalidArgumentError(
            "--tracking-uri and --experiment-name are mlflow run's to choose here: "
            "set MLFLOW_TRACKING_URI, or give --experiment-name to mlflow run."
        )
    if tracking_uri:
        os.environ[_URI] = tracking_uri
    uri = os.environ.get(_URI, "")
    check_answers(uri)
    client = _connect(uri)
    if experiment_name:
        _choose_experiment(client, experiment_name)


def check_answers(uri: str) -> None:
    """Refuse a store that cannot be there: MLflow itself would try for minutes.

    Raises
    ------
    InvalidArgumentError
        Nobody answers at the address, or the database's folder does not exist.
    """
    parts = _split(uri)
    if parts.scheme in _PORTS:
        _check_port(uri, parts)
    elif parts.scheme == "sqlite":
        _check_database(uri)


def without_credentials(uri: str) -> str:
    """Return a URI as it may be shown and logged: no user, no password, no query.

    Examples
    --------
    >>> without_credentials("https://user:secret@mlflow.example:8080/api?token=abc")
    'https://mlflow.example:8080/api'
    >>> without_credentials("sqlite:///mlflow.db")
    'sqlite:///mlflow.db'
    """
    if "://" not in uri:
        return uri
    scheme, _, rest = uri.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path.partition('?')[0].partition('#')[0]}".partition("?")[0]


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise InvalidArgumentError(f"{without_credentials(uri)!r} is no tracking URI: {error}.") from error
    return parts


def _check_port(uri: str, parts: SplitResult) -> None:
    shown = without_credentials(uri)
    if not parts.hostname:
        raise InvalidArgumentError(f"{shown!r} is no tracking URI: it names no host.")
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[parts.scheme]), _SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise InvalidArgumentError(
            f"no tracking server answers at {shown} ({getattr(error, 'strerror', None) or error}). "
            "Start it (mlflow server), or leave the URI out to use a file in this folder."
        ) from error


def _check_database(uri: str) -> None:
    file = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    if file.is_dir():
        raise InvalidArgumentError(f"the tracking store {file} is a directory; name a file in it, such as mlflow.db.")
    if not file.absolute().parent.is_dir():
        raise InvalidArgumentError(f"the folder of the tracking store does not exist: {file.absolute().parent}.")


def _connect(uri: str) -> Any:
    from mlflow_hpo.tracking.store import connect

    try:
        return connect()
    except Exception as error:  # each kind of store has errors of its own
        raise InvalidArgumentError(f"the tracking store {without_credentials(uri)} cannot be used: {error}") from error


def _choose_experiment(client: Any, name: str) -> None:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage == "deleted":
        raise InvalidArgumentError(
            f"the experiment {name!r} is deleted; choose another name, or restore it: "
            f"mlflow experiments restore --experiment-id {experiment.experiment_id}."
        )
    os.environ[_EXPERIMENT] = name


def run_link(tracking_uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run in MLflow's UI; of a store without a server, as `mlflow ui` will serve it."""
    parts = urlsplit(tracking_uri)
    base = without_credentials(tracking_uri).rstrip("/") if parts.scheme in _PORTS else "http://127.0.0.1:5000"
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}"
