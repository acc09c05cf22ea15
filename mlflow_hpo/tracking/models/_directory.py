"""Writing the complete directory of an MLflow model, in milliseconds.

Instead of `mlflow.pyfunc.save_model`, which infers requirements and copies code in seconds, the parts are written one
by one. The result is the same: `MLmodel`, the environment's files, the loader's code, and the estimator's own files.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.models import Model

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.models._errors import ModelNotSavableError
from mlflow_hpo.tracking.models._mlmodel import write_mlmodel
from mlflow_hpo.tracking.models._network_file import write_archive
from mlflow_hpo.tracking.models._packed import PackedModel
from mlflow_hpo.tracking.models._safe import safe_form
from mlflow_hpo.tracking.models._template import ModelTemplate, environment_files
from mlflow_hpo.tracking.models._travelling import LOADER_MODULE, archive, loader

logger = logging.getLogger(__name__)

# MLflow puts it on the path, where an archive serves as a folder does.
_CODE = "code.zip"
_warned: set[str] = set()


def save_packed(model: PackedModel, path: str | Path, *, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a packed estimator as a complete MLflow model.

    Parameters
    ----------
    model : PackedModel
    path : str or Path
        Directory; made if it does not exist, and must be empty.
    metadata : mapping or None
        More entries for the `metadata` of `MLmodel`; plain data.

    Raises
    ------
    ModelNotSavableError
        The directory is not empty.
    """
    directory = Path(path)
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ModelNotSavableError(f"A model needs an empty directory; {directory} has files in it.")
    reasons = [_write_estimator(model, directory), *_write_networks(model, directory / loader.NETWORKS)]
    unsafe = list(dict.fromkeys(reason for reason in reasons if reason is not None))
    for reason in unsafe:
        _warn_once(reason)
    pickled = {names.PICKLE: "; ".join(unsafe)} if unsafe else {}
    (directory / _CODE).write_bytes(archive())
    description = {"inputs": model.template.inputs, "predictor": model.predictor}
    (directory / loader.DESCRIPTION_FILE).write_text(json.dumps(description), "utf-8")
    for name, text in environment_files(model.template.requirements).items():
        (directory / name).write_text(text, "utf-8")
    _write_mlmodel(directory, model.template, bool(model.networks), {**(metadata or {}), **pickled})


def _write_estimator(model: PackedModel, directory: Path) -> str | None:
    """Write the scikit-learn part; return why it is a pickle, if it is."""
    if model.estimator is None:
        return None
    safe = model.safe or safe_form(model.estimator)
    if safe.data is None:
        (directory / loader.PICKLE_FILE).write_bytes(model.estimator)
    else:
        (directory / loader.SKOPS_FILE).write_bytes(safe.data)
    return safe.reason


def _write_networks(model: PackedModel, folder: Path) -> list[str | None]:
    """Write each network's native file, and beside it what is the user's own; return why there is such."""
    if model.networks:
        folder.mkdir()
    for index, network in enumerate(model.networks):
        file = folder / f"{index}.keras"
        if isinstance(network.content, bytes):
            file.write_bytes(network.content)
        else:
            write_archive(network.content, file)
        if network.parts is not None:
            file.with_suffix(".pkl").write_bytes(network.parts)
    return [network.reason for network in model.networks]


def _warn_once(reason: str) -> None:
    if reason not in _warned:
        _warned.add(reason)
        logger.warning(
            "A part of a model is kept as a pickle, to be loaded only from sources you trust, because of this: %s",
            reason,
        )


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
