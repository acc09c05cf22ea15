"""Targets: one-hot where the compiled loss asks for it, and encoders that can travel without their estimator."""

from __future__ import annotations

import copy
from typing import Any

import keras
import numpy as np
from scikeras.utils.transformers import ClassifierLabelEncoder, RegressorTargetEncoder, TargetReshaper
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from mlflow_hpo.core.portable import LabelCoding

_ONE_HOT_LOSSES = frozenset({"categorical_crossentropy", "cce", "categorical_focal_crossentropy", "categorical_hinge"})
# The encoder asks for no more than this word; the loss itself may be an object that cannot be serialised.
_ONE_HOT = "categorical_crossentropy"


def wants_one_hot(loss: Any) -> bool:
    """Return whether a loss, as given to `keras.Model.compile`, takes one column per class.

    Examples
    --------
    >>> wants_one_hot("categorical_crossentropy"), wants_one_hot("sparse_categorical_crossentropy")
    (True, False)
    """
    if isinstance(loss, dict):
        loss = list(loss.values())
    if isinstance(loss, list | tuple):
        return len(loss) == 1 and wants_one_hot(loss[0])
    if isinstance(loss, str):
        return _snake_case(loss) in _ONE_HOT_LOSSES
    name = getattr(loss, "__name__", None) or type(loss).__name__
    return _snake_case(name) in _ONE_HOT_LOSSES


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def fit_to_loss(encoder: Any, y: np.ndarray[Any, Any], loss: Any, outputs: int | None) -> Any:
    """Return the target encoder that goes with the loss a model was compiled with.

    Parameters
    ----------
    encoder : transformer
        The fitted encoder that was chosen before the loss was known.
    y : ndarray of shape (n_samples,) or (n_samples, n_columns)
        The targets it was fitted on.
    loss : str, callable, keras.losses.Loss, list or dict
        The compiled loss.
    outputs : int or None
        Columns of the network's output, None where unknown.

    Returns
    -------
    transformer
        `encoder` itself, or a `ClassifierLabelEncoder` that gives one column per class.
    """
    # A subclass of the encoder is the user's own choice.
    if type(encoder) is not ClassifierLabelEncoder or not wants_one_hot(loss):
        return encoder
    one_hot = ClassifierLabelEncoder(loss=_ONE_HOT, categories=encoder.categories).fit(y)
    if one_hot._target_type == "binary" and outputs != 1:
        # scikeras keeps two classes in one column, whatever the loss.
        columns = OneHotEncoder(
            sparse_output=False, dtype=np.dtype(keras.backend.floatx()), categories=one_hot.categories
        )
        one_hot._final_encoder = make_pipeline(TargetReshaper(), columns).fit(y)
        one_hot._target_type = "multiclass"
    return one_hot


def is_one_hot(y: Any) -> bool:
    """Return whether `y` has one column per class, with a single 1 in each row.

    Examples
    --------
    >>> is_one_hot([[0, 1], [1, 0]]), is_one_hot([[1, 1], [1, 0]]), is_one_hot([0, 1])
    (True, False, False)
    """
    columns = np.asarray(y)
    if columns.ndim != 2 or columns.shape[1] < 2 or columns.dtype.kind not in "biuf":
        return False
    return bool(np.isin(columns, (0, 1)).all() and (columns.sum(axis=1) == 1).all())


def portable_target_encoder(encoder: Any) -> Any:
    """Return a copy of a fitted target encoder that refers to no loss and no estimator."""
    encoder = copy.copy(encoder)
    if isinstance(encoder, ClassifierLabelEncoder):
        encoder.loss = _ONE_HOT if wants_one_hot(encoder.loss) else None
    return copy.deepcopy(encoder)


def label_coding(encoder: Any) -> LabelCoding | None:
    """Return what a fitted target encoder does; None where it is of another class than scikeras's own."""
    if type(encoder) is ClassifierLabelEncoder:
        return LabelCoding(encoder._target_type, encoder.classes_, tuple(encoder._y_shape[1:]))
    if type(encoder) is RegressorTargetEncoder:
        return LabelCoding("regression", None, tuple(encoder._y_shape[1:]))
    return None


def portable_feature_encoder(encoder: Any) -> Any:
    """Return a copy of a fitted feature encoder, or None where it changes nothing."""
    if type(encoder) is FunctionTransformer and encoder.func is None:
        return None
    return copy.deepcopy(encoder)
