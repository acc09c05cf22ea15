"""Writing the complete directory of an MLflow model, in milliseconds.

Instead of `mlflow.pyfunc.save_model`, which infers requirements and copies code in seconds, the parts are written one
by one. The result is the same: `MLmodel`, the environment's files, `code/`, and the estimator's own files.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.models import Model

from mlflow_hpo.tracking.models._errors import ModelNotSavableError
from mlflow_hpo.tracking.models._mlmodel import write_mlmodel
from mlflow_hpo.tracking.models._networks import write_networks
from mlflow_hpo.tracking.models._portable import pickle_by_value, pickle_portable
from mlflow_hpo.tracking.models._template import ModelTemplate, environment_files
from mlflow_hpo.tracking.models._travelling import LOADER_MODULE, SOURCES, loader

logger = logging.getLogger(__name__)

PICKLE_KEY = "mlflow_hpo.pickle"
_CODE = "code"
_warned: set[str] = set()


def save_estimator(
    estimator: Any, path: str | Path, template: ModelTemplate, *, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a fitted estimator as a complete MLflow model.

    Parameters
    ----------
    estimator : estimator
        Fitted; not changed.
    path : str or Path
        Directory; made if it does not exist, and must be empty.
    template : ModelTemplate
        Of the study.
    metadata : mapping or None
        More entries for the `metadata` of `MLmodel`; plain data.

    Raises
    ------
    ModelNotSavableError
        The estimator does not predict, or a part of it can be written neither by skops nor by cloudpickle.
    """
    _check_predicts(estimator)
    directory = Path(path)
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ModelNotSavableError(f"A model needs an empty directory; {directory} has files in it.")
    try:
        networks, unsafe = _write_estimator(estimator, directory)
        custom = write_networks(networks, directory / loader.NETWORKS)
    except Exception as error:
        raise ModelNotSavableError(f"{type(estimator).__name__} cannot be kept as a model: {error}") from error
    reasons = [reason for reason in (unsafe, custom) if reason is not None]
    for reason in reasons:
        _warn_once(reason)
    pickled = {PICKLE_KEY: "; ".join(reasons)} if reasons else {}
    _write_code(directory)
    (directory / loader.INPUTS_FILE).write_text(json.dumps(template.inputs), "utf-8")
    if networks:
        template = template.with_keras()
    for name, text in environment_files(template.requirements).items():
        (directory / name).write_text(text, "utf-8")
    _write_mlmodel(directory, template, bool(networks), {**(metadata or {}), **pickled})


def _check_predicts(estimator: Any) -> None:
    if not hasattr(estimator, "predict"):
        raise ModelNotSavableError(
            f"{type(estimator).__name__} has no predict, so there is no model to keep; set log_models='none'."
        )


def _write_estimator(estimator: Any, directory: Path) -> tuple[list[Any], str | None]:
    """Write the scikit-learn part; return the networks in it, and why it is a pickle, if it is."""
    import skops.io  # imports all of scikit-learn: a second that `import mlflow_hpo` need not take

    networks: list[Any] = []
    blob, met = pickle_portable(estimator, networks)
    copy = pickle.loads(blob) if met.replaced else estimator
    try:
        safe = skops.io.dumps(copy)
        skops.io.loads(safe, trusted=loader.TRUSTED)
    except Exception as error:
        (directory / loader.PICKLE_FILE).write_bytes(pickle_by_value(copy, networks))
        return networks, _reason(error)
    (directory / loader.SKOPS_FILE).write_bytes(safe)
    return networks, None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "skops cannot hold objects that refer to each other in circles"
    return f"skops: {str(error).splitlines()[0]}"


def _warn_once(reason: str) -> None:
    if reason not in _warned:
        _warned.add(reason)
        logger.warning(
            "A part of a model is kept as a pickle, to be loaded only from sources you trust, because of this: %s",
            reason,
        )


def _write_code(directory: Path) -> None:
    package = directory / _CODE / LOADER_MODULE
    package.mkdir(parents=True)
    for name, source in SOURCES.items():
        (package / name).write_bytes(source)


def _write_mlmodel(directory: Path, template: ModelTemplate, has_network: bool, metadata: dict[str, Any]) -> None:
    model = Model(signature=template.model_signature(), metadata=metadata or None)
    mlflow.pyfunc.add_to_model(
        model, loader_module=LOADER_MODULE, code=_CODE, conda_env="conda.yaml", python_env="python_env.yaml"
    )
    if has_network:
        keras = next((pin for pin in template.requirements if pin.startswith("keras==")), "keras==")
        model.add_flavor(
            "keras",
            data=f"{loader.NETWORKS}/0",  # mlflow.keras adds ".keras"
            keras_version=keras.partition("==")[2],
            save_exported_model=False,
        )
    model.model_size_bytes = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    write_mlmodel(directory, model.to_dict())


def pack_estimator(estimator: Any, template: ModelTemplate) -> bytes:
    """Return the directory that `save_estimator` writes as one tar archive, for the way out of a worker process.

    Parameters
    ----------
    estimator : estimator
        Fitted; not changed.
    template : ModelTemplate
        Of the study.

    Raises
    ------
    ModelNotSavableError
        As `save_estimator` does.
    """
    blob = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="mlflow_hpo_") as folder, tarfile.open(fileobj=blob, mode="w") as archive:
        save_estimator(estimator, Path(folder, "model"), template)
        archive.add(Path(folder, "model"), arcname=".")
    return blob.getvalue()


def unpack_model(blob: bytes, path: str | Path) -> None:
    """Write a model that `pack_estimator` packed to a directory.

    Parameters
    ----------
    blob : bytes
        The archive.
    path : str or Path
        Directory; made if it does not exist.

    Raises
    ------
    tarfile.FilterError
        The archive holds a path or a link that leaves the directory, or a device.
    """
    Path(path).mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r") as archive:
        archive.extractall(path, filter="data")
