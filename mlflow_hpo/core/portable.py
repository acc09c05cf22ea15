"""What a fitted estimator around a neural network hands over, so that it can be kept without its own library.

`keras` provides it, `tracking` writes it into a model's directory; neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Variables:
    """The variables of one part of a network, a layer or its optimizer, as its file holds them.

    Parameters
    ----------
    path : str
        Their place in the file.
    name : str or None
        What the part is called.
    arrays : mapping of str to ndarray
        Their values, copied.
    """

    path: str
    name: str | None
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class NetworkArchive:
    """What a network's own file holds, taken out of the network in a moment, to be written by whoever has time.

    Parameters
    ----------
    config, metadata : dict
        Its two JSON texts.
    variables : tuple of Variables
        Its weights.
    """

    config: dict[str, Any]
    metadata: dict[str, Any]
    variables: tuple[Variables, ...]


@dataclass(frozen=True)
class LabelCoding:
    """How a network's outputs become labels or values.

    Parameters
    ----------
    kind : str
        scikeras's type of target, "multiclass" say, or "regression".
    classes : ndarray of shape (n_classes,) or None
        The labels, in the order of the outputs.
    row_shape : tuple of int
        Shape of one target.
    """

    kind: str
    classes: np.ndarray | None
    row_shape: tuple[int, ...]


@dataclass(frozen=True)
class PortableNetwork:
    """The parts from which `predict` (and `predict_proba`) of a fitted Keras estimator can be rebuilt.

    Parameters
    ----------
    network : keras.Model
        The trained network; saved by its own `save(path)`.
    kind : {"classifier", "regressor"}
        How raw outputs become predictions.
    feature_encoder : transformer or None
        Fitted; its `transform` prepares X for the network. None where X goes in as it is.
    target_encoder : transformer or None
        Fitted; its `inverse_transform(raw)` gives labels, with `return_proba=True` probabilities. None where
        predictions are the network's raw outputs.
    batch_size : int
        Rows a step of `network.predict` takes: another size can change the last bits.
    labels : LabelCoding or None
        What `target_encoder` does, where that is nothing but this.
    archive : callable or None
        Takes the network's content out; returns None where only the network's own `save` can. None where nothing else
        can in any case.
    """

    network: Any
    kind: str
    feature_encoder: Any
    target_encoder: Any
    batch_size: int
    labels: LabelCoding | None = None
    archive: Callable[[Any], NetworkArchive | None] | None = None


@runtime_checkable
class SupportsPortable(Protocol):
    """A fitted estimator that can hand over its parts."""

    def to_portable(self) -> PortableNetwork:
        """Return the parts from which the estimator's predictions can be rebuilt."""
        ...
