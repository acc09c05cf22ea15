"""What a network's `.keras` file would hold, taken out of the network in a moment: writing it can wait."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.saving import saving_lib

from mlflow_hpo.core.portable import NetworkArchive, Variables

_KINDS = ("Operation", "Layer", "Functional", "Sequential", "Metric", "Optimizer", "Loss")


def archive_network(network: keras.Model) -> NetworkArchive | None:
    """Return what `network.save` would write; None where that is more than configuration and variables.

    Keras itself walks the network and names the parts, as for a file.

    Parameters
    ----------
    network : keras.Model
        A built network; not changed.
    """
    variables = _VariableStore()
    _reuse_attribute_lists()
    config, metadata = saving_lib._serialize_model_as_json(network)
    try:
        saving_lib._save_state(
            network, weights_store=variables, assets_store=_AssetStore(), inner_path="", visited_saveables=set()
        )
    except _HasAssetsError:
        return None
    return NetworkArchive(json.loads(config), json.loads(metadata), tuple(variables.found))


class _VariableStore(saving_lib.H5IOStore):
    """Takes what Keras would write into an HDF5 file, in the same order."""

    def __init__(self) -> None:
        self.found: list[Variables] = []
        self._next: tuple[str, str | None] = ("", None)
        self._open: dict[str, np.ndarray] | None = None

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: dict[str, str] | None = None) -> _VariableStore:
        self._next, self._open = (path, (metadata or {}).get("name")), None
        if metadata:
            self._begin()
        return self

    def __setitem__(self, key: str, value: Any) -> None:
        if self._open is None:
            self._open = self._begin()
        self._open[key] = np.array(keras.ops.convert_to_numpy(value))

    def _begin(self) -> dict[str, np.ndarray]:
        self._open = {}
        self.found.append(Variables(*self._next, self._open))
        return self._open


class _AssetStore(saving_lib.DiskIOStore):
    """Refuses the layer that has more to save than variables: a vocabulary, say."""

    def __init__(self) -> None:
        """Need no folder."""

    def make(self, path: str) -> str:
        raise _HasAssetsError


class _HasAssetsError(Exception):
    """A layer asked where to write its files."""


def _reuse_attribute_lists() -> None:
    """Let Keras find the lists of attributes that it has made: it looks under another name."""
    for kind in _KINDS:
        made = global_state.get_global_attribute(f"saving_attr_skipset_{kind}")
        if made is not None:
            global_state.set_global_attribute(f"saving_attr_skiplist_{kind}", made)
