"""Registering a study's best model: one version a model, and an alias that moves only to a better score."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS
from mlflow.utils.validation import (
    _validate_model_alias_name,
    _validate_model_alias_name_reserved,
    _validate_model_name,
)

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.candidate import MODEL_ID, Candidate
from mlflow_hpo.tracking.store import lock_file

if TYPE_CHECKING:
    from mlflow_hpo.tracking.models import LoggedModelRef

_NAME_LENGTH = 256


@dataclass(frozen=True)
class Registration:
    """What `register_model` did.

    Parameters
    ----------
    name : str
        Registered model.
    version : str
        Version that holds the model.
    alias_moved : bool
        Whether the alias came to this version by this call.
    reason : str
        Why it did, or did not; a sentence for people.
    created : bool
        Whether the version is new; False where the model had been registered before.
    """

    name: str
    version: str
    alias_moved: bool
    reason: str
    created: bool


def register_model(
    client: MlflowClient,
    model: LoggedModelRef | str,
    *,
    name: str,
    alias: str,
    score: float,
    metric: str,
    study_run_id: str,
    params: Mapping[str, Any],
    greater_is_better: bool = True,
    promote: bool = False,
    description: str | None = None,
    trial_key: str | None = None,
) -> Registration:
    """Register a logged model as a new version, and move the alias to it if it is better.

    A model that is registered under this name already keeps its version; only the alias is considered again.
    Processes of one machine take turns. Between machines two better models can still pass each other.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    model : LoggedModelRef or str
        The logged model, or its id.
    name : str
        Registered model; made if it does not exist.
    alias : str
        Moves if `score` beats the score of the version that has it, on the same metric; a NaN never does.
    score : float
        Of this model.
    metric : str
        What the score measures.
    study_run_id : str
        The run of the study that found the model.
    params : mapping
        The candidate's parameters.
    greater_is_better : bool
        Direction of the metric.
    promote : bool
        Move the alias in any case.
    description : str or None
        Markdown put above the generated description.
    trial_key : str or None
        Of the trial that the model comes from: a version that comes from an equal one holds an equal model.

    Returns
    -------
    Registration

    Raises
    ------
    InvalidArgumentError
        MLflow would refuse the name or the alias; nothing has been written then.
    """
    check_names(name, alias)
    model_id = model if isinstance(model, str) else model.model_id
    candidate = Candidate(model_id, study_run_id, params, float(score), metric, greater_is_better, trial_key)
    with FileLock(lock_file(f"{client._registry_uri}\n{name}")):
        existing = _version_of(client, name, MODEL_ID, model_id)
        if existing is None and trial_key is not None:
            existing = _version_of(client, name, names.TRIAL_KEY, trial_key)
        version = existing or _create_version(client, name, candidate, description)
        moved, reason = _consider_alias(client, version, alias, candidate, promote)
    return Registration(name, str(version.version), moved, reason, existing is None)


def check_names(name: str, alias: str) -> None:
    """Refuse names under which MLflow registers no model.

    Parameters
    ----------
    name : str
        The registered model.
    alias : str
        Of its version.

    Raises
    ------
    InvalidArgumentError
        MLflow would refuse one of them.
    """
    try:
        _validate_model_name(name)
    except MlflowException as error:
        raise InvalidArgumentError(f"No model can be registered as {name!r}. {error.message}") from error
    if len(name) > _NAME_LENGTH or ("'" in name and '"' in name):
        raise InvalidArgumentError(
            f"The name of a registered model has at most {_NAME_LENGTH} letters and one kind of quotes; got {name!r}."
        )
    try:
        _validate_model_alias_name(alias)  # type: ignore[no-untyped-call]
        _validate_model_alias_name_reserved(alias)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        raise InvalidArgumentError(f"No model can have the alias {alias!r}. {error.message}") from error


def _version_of(client: MlflowClient, name: str, tag: str, value: str) -> ModelVersion | None:
    """Return the first version of `name` with a tag of this value."""
    quote = '"' if "'" in name else "'"
    found = client.search_model_versions(f"name = {quote}{name}{quote} and tags.`{tag}` = '{value}'")
    return min(found, key=lambda version: int(version.version), default=None)


def _create_version(client: MlflowClient, name: str, candidate: Candidate, description: str | None) -> ModelVersion:
    model = client.get_logged_model(candidate.model_id)
    pickle = {names.PICKLE: model.tags[names.PICKLE]} if names.PICKLE in model.tags else {}
    _ensure_registered_model(client, name)
    version = client.create_model_version(
        name,
        source=_source(client, model),
        run_id=model.source_run_id,
        tags={**candidate.tags(), **pickle},
        description=candidate.description(client.get_run(candidate.study_run_id), description),
        model_id=candidate.model_id,
    )
    # Another machine may have registered the same model meanwhile: the lower version stays.
    first = _version_of(client, name, MODEL_ID, candidate.model_id) or version
    if int(first.version) < int(version.version):
        client.delete_model_version(name, version.version)
    _link(client, model, first)
    return first


def _ensure_registered_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise


def _source(client: MlflowClient, model: LoggedModel) -> str:
    # MLflow looks `models:/<id>` up in the process's global store, whatever store the client has.
    if client.tracking_uri.startswith(("http://", "https://")) or client.tracking_uri == mlflow.get_tracking_uri():
        return f"models:/{model.model_id}"
    return str(model.artifact_location)


def _link(client: MlflowClient, model: LoggedModel, version: ModelVersion) -> None:
    """Note the version on the logged model, where MLflow's pages and `delete_logged_model` look for it."""
    known = json.loads(client.get_logged_model(model.model_id).tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    if not any(entry["name"] == version.name and str(entry["version"]) == str(version.version) for entry in known):
        known.append({"name": version.name, "version": version.version})
        client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(known)})


def _consider_alias(
    client: MlflowClient, version: ModelVersion, alias: str, candidate: Candidate, promote: bool
) -> tuple[bool, str]:
    """Move the alias if it should move; return whether it did, and why."""
    holder = client.get_registered_model(version.name).aliases.get(alias)
    if holder is not None and str(holder) == str(version.version):
        return False, f"Version {version.version} has {alias!r} already."
    if promote:
        wins, reason = True, f"{alias!r} moves to version {version.version}, as promote asks."
    elif math.isnan(candidate.score):
        wins, reason = False, f"A score of NaN never gets {alias!r}."
    elif holder is None:
        wins, reason = True, f"Version {version.version} is the first to be {alias!r}."
    else:
        wins, reason = candidate.compare(client.get_model_version(version.name, holder), alias)
    if wins:
        client.set_registered_model_alias(version.name, alias, version.version)
    return wins, reason
