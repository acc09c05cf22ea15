"""What a fitted estimator around a neural network hands over, so that it can be kept without its own library.

`keras` provides it, `tracking` writes it into a model's directory; neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


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
    """

    network: Any
    kind: str
    feature_encoder: Any
    target_encoder: Any
    batch_size: int


@runtime_checkable
class SupportsPortable(Protocol):
    """A fitted estimator that can hand over its parts."""

    def to_portable(self) -> PortableNetwork:
        """Return the parts from which the estimator's predictions can be rebuilt."""
        ...
