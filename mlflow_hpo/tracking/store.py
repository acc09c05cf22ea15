"""The connection to the tracking store, and its safe first use."""

from __future__ import annotations

import getpass
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock, Timeout
from mlflow import MlflowClient

from mlflow_hpo.core.errors import StudyIsRunningError

_SQLITE = "sqlite:///"
_ready: set[str] = set()


def connect(tracking_uri: str | None = None) -> MlflowClient:
    """Return a client of the tracking store, which exists and has its schema afterwards.

    Several processes that open a fresh sqlite file at once break it for good, so the first use goes under a file lock.

    Parameters
    ----------
    tracking_uri : str or None
        The store; None is MLflow's current one.
    """
    uri = tracking_uri or mlflow.get_tracking_uri()
    if uri not in _ready and uri.startswith(_SQLITE):
        with FileLock(lock_file(str(_database(uri)))), _quiet_making():
            MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    _ready.add(uri)
    return MlflowClient(tracking_uri=uri)


@contextmanager
def _quiet_making() -> Iterator[None]:
    """Keep MLflow from telling which tables it makes, unless somebody has set how much it tells."""
    logger = logging.getLogger("mlflow.store.db.utils")
    if logger.level or os.environ.get("MLFLOW_LOGGING_LEVEL"):
        yield
        return
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)


def _database(uri: str) -> Path:
    return Path(uri.removeprefix(_SQLITE).partition("?")[0]).resolve()


@contextmanager
def alone_with_study(tracking_uri: str, experiment_id: str, name: str) -> Iterator[None]:
    """Let no other process of this machine run the study while the context is open.

    Parameters
    ----------
    tracking_uri, experiment_id, name : str
        Which study.

    Raises
    ------
    StudyIsRunningError
        Another process runs it.
    """
    lock = FileLock(lock_file(f"{tracking_uri}\n{experiment_id}\n{name}"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyIsRunningError(
            f"Study {name!r} is running already, in another process of this machine. Wait for its end, or give this "
            "one another name."
        ) from None
    try:
        yield
    finally:
        lock.release()


def lock_file(subject: str) -> Path:
    """Return the file that processes on this machine lock, to be alone with a subject.

    Parameters
    ----------
    subject : str
        What they would disturb each other at.
    """
    digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"mlflow_hpo-{getpass.getuser()}-{digest}.lock"
