"""Operations run in turn or handed out: the results are the same, and the faster way is taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from mlflow_hpo import KerasClassifier
from mlflow_hpo.keras.reuse import graph
from mlflow_hpo.keras.reuse.graph import Loop
from mlflow_hpo.keras.reuse.pool import pool

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(90, 8, 8, 1)).astype("float32")
Y = (X.sum((1, 2, 3)) > 0).astype("int64")


@pytest.fixture(autouse=True)
def own_pool() -> Iterator[None]:
    pool.clear()
    yield
    pool.clear()


def network(l2: float = 0.01) -> keras.Model:
    """Return a network whose loss has several terms, and whose gradients can be computed side by side."""
    x = image = layers.Input((8, 8, 1))
    for filters in (4, 6):
        x = layers.Conv2D(filters, 3, padding="same", kernel_regularizer=keras.regularizers.L2(l2))(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.concatenate([layers.Flatten()(x), layers.Dense(5, "tanh")(layers.Flatten()(image))])
    model = keras.Model(image, layers.Dense(2, "softmax")(layers.Dropout(0.3)(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(epochs: int, **settings: object) -> KerasClassifier:
    estimator = KerasClassifier(network, epochs=epochs, validation_split=0.2, verbose=0, random_state=1, **settings)
    return estimator.fit(X, Y)


def loops() -> list[Loop]:
    """Return the loops of all twins."""
    return [one for _, twin in pool._idle for one in twin._graphs.values() if isinstance(one, Loop)]


@pytest.mark.parametrize("faster", [0.0, np.inf], ids=["in turn", "handed out"])
def test_both_ways_round_as_keras_does(monkeypatch, faster):
    monkeypatch.setattr(graph, "_UNMEASURED", 1e-9)
    monkeypatch.setattr(graph, "_WORTH_MEASURING", 0.0)
    monkeypatch.setattr(graph, "_CLEARLY_FASTER", faster)
    shared, fresh = trained(10), trained(10, reuse=False)
    assert [(loop._runs_in_turn, loop._hands_out) for loop in loops()] == [(True, faster > 0)] * 2
    assert shared.history_ == fresh.history_
    for got, expected in zip(shared.model_.get_weights(), fresh.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_short_calls_are_not_compared(monkeypatch):
    monkeypatch.setattr(graph, "_UNMEASURED", 1e-9)
    monkeypatch.setattr(graph, "_WORTH_MEASURING", 60.0)
    monkeypatch.setattr(graph, "_CLEARLY_FASTER", np.inf)
    trained(10)
    assert [loop._hands_out for loop in loops()] == [False, False]


@pytest.mark.parametrize(
    ("in_turn", "handed_out", "expected"), [(1.0, 0.9, True), (1.0, 0.99, False), (0.9, 1.0, False)]
)
def test_handing_out_must_be_clearly_faster(in_turn, handed_out, expected):
    comparison = graph._compare()
    begun, in_turn, handed_out = 8 * [(1.0, 10)], [(5.0, 10), (in_turn, 10)], [(9.0, 20), (2 * handed_out, 20)]
    preparing, slow, after = (30.0, 10), (4.0, 10), 2 * [(1.0, 10)]
    ways = [next(comparison)]
    for seconds, rows in [*begun, *in_turn, slow, preparing, *handed_out, slow, *after]:
        ways.append(comparison.send(graph._Call(seconds, rows)))
    assert ways == [False] * 11 + [True] * 4 + [expected] * 3


def test_fits_side_by_side_run_in_turn(monkeypatch):
    monkeypatch.setattr(graph, "_UNMEASURED", 1e-9)
    monkeypatch.setattr(graph, "_WORTH_MEASURING", 0.0)
    monkeypatch.setattr(graph, "_CLEARLY_FASTER", np.inf)
    together = threading.Barrier(2)
    ways: list[bool] = []

    class Meeting(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            together.wait(60)
            ways.append(pool.has_lent_one)

        def on_train_end(self, logs=None):
            together.wait(60)

    threads = [threading.Thread(target=trained, args=(4,), kwargs={"callbacks": [Meeting()]}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ways == [False] * 8
    assert all(not loop._hands_out for loop in loops())


@pytest.mark.parametrize("steps", [tf.cond, tf.while_loop], ids=["a condition", "a loop"])
def test_steps_that_control_their_flow_are_handed_out(steps):
    def step(x: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        if steps is tf.cond:
            return start + tf.cond(start > 1, lambda: x, lambda: 2 * x)
        return tf.while_loop(lambda n: n < start + x, lambda n: (n + 1,), (start,))[0]

    def function(step, x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda n: n < 10, lambda n: (step(x, n),), (tf.constant(0, tf.int64),))[0]

    loop = Loop(function, step, tf.TensorSpec((), tf.int64))
    assert not loop._runs_in_turn
    assert int(loop(tf.constant(3, tf.int64), rows=1, is_alone=True)) in (10, 12)
