"""Writing the networks of a model: natively, and beside them what is the user's own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from mlflow_hpo.tracking.models._portable import pickle_by_value
from mlflow_hpo.tracking.models._travelling import loader


def write_networks(networks: list[Any], folder: Path) -> str | None:
    """Write each network to `folder` by its own `save`.

    Parameters
    ----------
    networks : list
        Keras models; not changed.
    folder : Path
        Is made where there are networks.

    Returns
    -------
    str or None
        What had to be pickled beside the native files, if anything had.
    """
    if not networks:
        return None
    folder.mkdir()
    reasons = [_write_network(network, folder / f"{index}.keras") for index, network in enumerate(networks)]
    return "; ".join(dict.fromkeys(filter(None, reasons))) or None


def _write_network(network: Any, file: Path) -> str | None:
    network.save(str(file))
    if not zipfile.is_zipfile(file):
        return None
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read(loader.CONFIG))
    if any(_is_custom_value(value) for value in _compiled_with(network)):
        _forget_compilation(config, file)
    parts = _custom_parts(network, config)
    if parts is None:
        return None
    file.with_suffix(".pkl").write_bytes(pickle_by_value(parts, []))
    names = [cls.__name__ for cls in parts.classes] + [f"{layer}.{setting}" for layer, setting in parts.functions]
    return f"the network uses {', '.join(names)}, which Keras's own format cannot hold"


def _compiled_with(network: Any) -> Iterator[Any]:
    """Yield the losses, metrics and the optimizer a network was compiled with."""
    pending = [getattr(getattr(network, "_compile_config", None), "config", None)]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list | tuple):
            pending.extend(value.values() if isinstance(value, dict) else value)
        elif value is not None:
            yield value


def _forget_compilation(config: dict[str, Any], file: Path) -> None:
    """Take a loss of the user's own out of a file: nobody could open it without the source, only to predict."""
    compiled = file.with_suffix(".compiled")
    file.rename(compiled)
    with zipfile.ZipFile(compiled) as archive:
        loader.write_with_config(archive, {**config, "compile_config": None}, file)
    compiled.unlink()


def _custom_parts(network: Any, config: dict[str, Any]) -> loader.CustomParts | None:
    layers: dict[Any, Any] = {layer.name: layer for layer in network._flatten_layers()}
    classes = [type(part) for part in (network, *layers.values()) if _is_custom(type(part))]
    functions = {}
    for entry in loader.entries(config):
        settings = entry.get("config")
        if not isinstance(settings, dict) or settings.get("name") not in layers:
            continue
        layer = layers[settings["name"]]
        for setting in settings:
            value = getattr(layer, setting, getattr(layer, f"_{setting}", None))
            if not _is_custom_value(value):
                continue
            if isinstance(value, FunctionType):
                functions[layer.name, setting] = value
            else:
                classes.append(type(value))
    return loader.CustomParts(list(dict.fromkeys(classes)), functions) if classes or functions else None


def _is_custom_value(value: Any) -> bool:
    if isinstance(value, FunctionType):
        return _is_custom(value)
    return hasattr(value, "get_config") and _is_custom(type(value))


def _is_custom(obj: Any) -> bool:
    return (obj.__module__ or "").partition(".")[0] != "keras"
