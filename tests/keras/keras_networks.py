"""Model functions and data that the tests of this room share."""

from __future__ import annotations

from typing import Any

import numpy as np


def create_model(learning_rate: float = 0.01, dropout_rate: float = 0.2, loss: str = "categorical_crossentropy") -> Any:
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(dropout_rate),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"])
    return model


def labels_and_features(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that a small network separates."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centers = np.random.default_rng(1).normal(size=(3, 8)) * 3
    return (centers[y] + rng.normal(size=(n, 8))).astype("float32"), y
