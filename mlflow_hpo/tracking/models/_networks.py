"""Writing the networks of a model: natively, and beside them what is the user's own."""

from __future__ import annotations

import json
import zipfile
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
    parts = _custom_parts(network, file) if hasattr(network, "_flatten_layers") else None
    if parts is None:
        return None
    file.with_suffix(".pkl").write_bytes(pickle_by_value(parts, []))
    names = [cls.__name__ for cls in parts.classes] + [f"{layer}.{setting}" for layer, setting in parts.functions]
    return f"the network uses {', '.join(names)}, which Keras's own format cannot hold"


def _custom_parts(network: Any, file: Path) -> loader.CustomParts | None:
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read(loader.CONFIG))
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
            if isinstance(value, FunctionType) and _is_custom(value):
                functions[layer.name, setting] = value
            elif hasattr(value, "get_config") and _is_custom(type(value)):
                classes.append(type(value))
    return loader.CustomParts(list(dict.fromkeys(classes)), functions) if classes or functions else None


def _is_custom(obj: Any) -> bool:
    return (obj.__module__ or "").partition(".")[0] != "keras"
