"""`LabelDecoder`: from a network's outputs to labels and values, as scikeras does it, without scikeras."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


class LabelDecoder(BaseEstimator):
    """Turns outputs into what the estimator predicted.

    Parameters
    ----------
    kind : str
        scikeras's type of target, "multiclass" say, or "regression".
    classes : ndarray of shape (n_classes,) or None
        The labels, in the order of the outputs.
    row_shape : tuple of int
        Shape of one target.
    """

    def __init__(self, kind: str = "regression", classes: Any = None, row_shape: tuple[int, ...] = ()) -> None:
        self.kind = kind
        self.classes = classes
        self.row_shape = row_shape

    def inverse_transform(self, outputs: Any, return_proba: bool = False) -> Any:
        """Return labels, values, or with `return_proba` probabilities, for outputs of shape (n_samples, ...)."""
        if self.kind == "binary" and (outputs.ndim == 1 or (outputs.shape[1] == 1 and len(self.classes) == 2)):
            outputs = np.column_stack([1 - outputs, outputs])
        if return_proba:
            return np.squeeze(outputs)
        return self._labels(outputs).reshape(-1, *self.row_shape)

    def _labels(self, outputs: Any) -> Any:
        if self.kind == "regression":
            return outputs
        if self.kind in ("binary", "multiclass"):
            return self.classes[np.argmax(outputs, axis=-1)]
        if self.kind == "multiclass-onehot":
            best = np.argmax(outputs, axis=-1)
            labels = np.zeros(outputs.shape, dtype=int)
            labels[np.arange(len(best)), best] = 1
            return labels
        if self.kind == "multilabel-indicator":
            return np.around(outputs).astype(int, copy=False)
        raise NotImplementedError(f"Labels are not defined for {self.kind!r} targets; ask for predict_proba.")
