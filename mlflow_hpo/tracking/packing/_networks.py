"""What is taken out of a network at once; its file is made of that later."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

from mlflow_hpo.core.portable import NetworkArchive, PortableNetwork
from mlflow_hpo.tracking.models import PackedNetwork, loader
from mlflow_hpo.tracking.packing._portable import pickle_by_value


def pack_network(portable: PortableNetwork) -> PackedNetwork:
    """Take a network's content out of it.

    Parameters
    ----------
    portable : PortableNetwork
        Its network is not changed.
    """
    network = portable.network
    archive = portable.archive(network) if portable.archive is not None else None
    if archive is None:
        return _pack_saved(network)
    if _has_custom_training(network):
        archive = replace(archive, config={**archive.config, "compile_config": None})
    return _with_parts(network, archive.config, archive)


def _pack_saved(network: Any) -> PackedNetwork:
    with tempfile.TemporaryDirectory(prefix="mlflow_hpo-") as folder:
        file = Path(folder) / "network.keras"
        network.save(str(file))
        if not zipfile.is_zipfile(file):
            return PackedNetwork(file.read_bytes())
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read(loader.CONFIG))
            if _has_custom_training(network):
                config["compile_config"] = None
                uncompiled = Path(folder) / "uncompiled.keras"
                loader.write_with_config(archive, config, uncompiled)
                file = uncompiled
        return _with_parts(network, config, file.read_bytes())


def _with_parts(network: Any, config: dict[str, Any], content: NetworkArchive | bytes) -> PackedNetwork:
    parts = _custom_parts(network, config)
    if parts is None:
        return PackedNetwork(content)
    names = [cls.__name__ for cls in parts.classes] + [f"{layer}.{setting}" for layer, setting in parts.functions]
    reason = f"the network uses {', '.join(names)}, which Keras's own format cannot hold"
    return PackedNetwork(content, pickle_by_value(parts, []).blob, reason)


def _has_custom_training(network: Any) -> bool:
    """Whether a network was compiled with something of the user's: nobody could open it without the source then."""
    return any(_is_custom_value(value) for value in _compiled_with(network))


def _compiled_with(network: Any) -> Iterator[Any]:
    """Yield the losses, metrics and the optimizer a network was compiled with."""
    pending = [getattr(getattr(network, "_compile_config", None), "config", None)]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list | tuple):
            pending.extend(value.values() if isinstance(value, dict) else value)
        elif value is not None:
            yield value


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
