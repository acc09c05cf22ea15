"""A model's directory as an MLflow logged model, and its removal, files included."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.models._mlmodel import read_mlmodel, write_mlmodel

logger = logging.getLogger(__name__)

_CONNECTIONS = 4


@dataclass(frozen=True)
class LoggedModelRef:
    """A logged model.

    Parameters
    ----------
    model_id : str
        MLflow's id, `m-...`.
    model_uri : str
        What `mlflow.pyfunc.load_model` takes.
    """

    model_id: str
    model_uri: str

    @classmethod
    def of(cls, model_id: str) -> LoggedModelRef:
        """Return the reference to the model with an id."""
        return cls(model_id, f"models:/{model_id}")


def log_saved_model(
    client: MlflowClient,
    run_id: str,
    path: str | Path,
    *,
    name: str,
    experiment_id: str,
    params: Mapping[str, str] | None = None,
) -> LoggedModelRef:
    """Store a model's directory as a logged model; the run that made it is still to be told of it.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    run_id : str
        The run that made the model.
    path : str or Path
        What `save_estimator` or `unpack_model` wrote; its `MLmodel` gets the ids.
    name : str
        Name of the model on the run's page.
    experiment_id : str
        Of the run.
    params : mapping or None
        Shown beside the model.

    Returns
    -------
    LoggedModelRef
        Of a model that is READY: all files are stored.
    """
    directory = Path(path)
    mlmodel = read_mlmodel(directory)
    model = client.create_logged_model(
        experiment_id=experiment_id,
        name=name,
        source_run_id=run_id,
        params=dict(params or {}),
        tags=_tags(mlmodel),
    )
    try:
        ids = {"run_id": run_id, "model_id": model.model_id, "model_uuid": model.model_id}
        write_mlmodel(directory, {**mlmodel, **ids, "artifact_path": model.artifact_location})
        # Not `log_model_artifacts`, which asks the store where the model is.
        _store_files(_files_of(client, model), directory)
    except BaseException:
        client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return LoggedModelRef.of(model.model_id)


def _store_files(repository: ArtifactRepository, directory: Path) -> None:
    """Store all files: side by side where MLflow would send a server one after the other, and wait for each answer."""
    if not isinstance(repository, HttpArtifactRepository):
        repository.log_artifacts(str(directory))  # type: ignore[no-untyped-call]
        return
    files = [file for file in directory.rglob("*") if file.is_file()]
    folders = ["/".join(file.relative_to(directory).parts[:-1]) or None for file in files]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(repository.log_artifact, map(str, files), folders))


def _tags(mlmodel: dict[str, Any]) -> dict[str, str]:
    reason = (mlmodel.get("metadata") or {}).get(names.PICKLE)
    return {names.KIND: "model", **({names.PICKLE: str(reason)[:5000]} if reason else {})}


def delete_logged_model(client: MlflowClient, model_id: str) -> None:
    """Delete a logged model: its files, which MLflow's own delete would leave on disk, and its record.

    A model that does not exist any more is no error, so that an interrupted deletion can be repeated. A model that is a
    version of a registered model is kept: the version has no files but these.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    model_id : str
        Of the model.
    """
    try:
        model = client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return
        raise
    if json.loads(model.tags.get(MLFLOW_MODEL_VERSIONS) or "[]"):
        logger.info("Model %s is registered, and is kept.", model_id)
        return
    # Files first: once the record is gone, nobody can find them again.
    _files_of(client, model).delete_artifacts()  # type: ignore[no-untyped-call]
    client.delete_logged_model(model_id)


def _files_of(client: MlflowClient, model: LoggedModel) -> ArtifactRepository:
    return get_artifact_repository(model.artifact_location, tracking_uri=client.tracking_uri)
