"""The user's own classes and functions inside a network, which no native `.keras` file can hold."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CONFIG = "config.json"


class CustomParts(NamedTuple):
    """What has to be handed to Keras beside the file.

    Parameters
    ----------
    classes : list of type
        Layers, regularizers and the like.
    functions : dict of (str, str) to callable
        By name of the layer and of its setting: lambdas have no name of their own.
    """

    classes: list[type]
    functions: dict[tuple[str, str], Any]


def entries(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every dict in a network's configuration that describes an object, except what only training needs."""
    if isinstance(config, list):
        for value in config:
            yield from entries(value)
    elif isinstance(config, dict):
        if "class_name" in config:
            yield config
        for key, value in config.items():
            if key != "compile_config":
                yield from entries(value)


def load_with_parts(keras: Any, path: Path, parts: bytes) -> Any:
    """Load a network whose `CustomParts` were pickled beside it.

    Parameters
    ----------
    keras : module
        As imported.
    path : Path
        The `.keras` file.
    parts : bytes
        The pickle.
    """
    classes, functions = pickle.loads(parts)
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        config = json.loads(archive.read(CONFIG))
        custom_objects = {**_named(config, classes), **_refer_to(config, functions)}
        patched = Path(folder, "network.keras")
        write_with_config(archive, config, patched)
        return keras.saving.load_model(patched, custom_objects=custom_objects, compile=False, safe_mode=True)


def write_with_config(archive: zipfile.ZipFile, config: dict[str, Any], file: Path) -> None:
    """Write a copy of a `.keras` file with another configuration."""
    with zipfile.ZipFile(file, "w") as copy:
        copy.writestr(CONFIG, json.dumps(config))
        for name in set(archive.namelist()) - {CONFIG}:
            with archive.open(name) as source, copy.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)


def _named(config: dict[str, Any], classes: list[type]) -> dict[str, Any]:
    """Return the classes under the names by which the configuration asks for them."""
    known = {cls.__name__: cls for cls in classes}
    return {
        entry.get("registered_name") or entry["class_name"]: known[entry["class_name"]]
        for entry in entries(config)
        if entry["class_name"] in known
    }


def _refer_to(config: dict[str, Any], functions: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """Put a reference in the place of each function in the configuration; return what they refer to."""
    found = {}
    for entry in list(entries(config)):
        settings = entry.get("config")
        if not isinstance(settings, dict):
            continue
        for (layer, setting), function in functions.items():
            if settings.get("name") == layer and setting in settings:
                name = f"{layer}.{setting}"
                found[name] = function
                reference = {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
                settings[setting] = reference
    return found
