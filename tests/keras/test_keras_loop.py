"""Operations run in turn or handed out: the results are the same, and the faster way is taken."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.util._pywrap_util_port import IsMklEnabled

from mlflow_hpo import KerasClassifier
from mlflow_hpo.keras.reuse import graph
from mlflow_hpo.keras.reuse.graph import Loop
from mlflow_hpo.keras.reuse.pool import pool

pytestmark = pytest.mark.slow

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"

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


def sequences(units: int = 8) -> keras.Model:
    """Return a network whose operations TensorFlow puts in another order the more it knows of their shapes."""
    tokens = layers.Input((12,), dtype="int64")
    embedded = layers.Embedding(50, units)(tokens)
    x = embedded + layers.MultiHeadAttention(2, 4, dropout=0.1)(embedded, embedded)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    model = keras.Model(tokens, layers.Dense(2, "softmax")(x))
    model.compile("adamw", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def upsampled(groups: int = 2) -> keras.Model:
    image = layers.Input((8, 8, 1))
    x = layers.Conv2DTranspose(4, 3, strides=2, activation="gelu")(layers.GaussianNoise(0.1)(image))
    x = layers.GlobalAveragePooling2D()(layers.GroupNormalization(groups)(x))
    model = keras.Model(image, layers.Dense(2, "softmax")(x))
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
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
    shared, fresh = trained(13), trained(13, reuse=False)
    assert [(loop._can_run_in_turn, loop._hands_out) for loop in loops()] == [(True, faster > 0)] * 2
    assert shared.history_ == fresh.history_
    for got, expected in zip(shared.model_.get_weights(), fresh.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("rows", [80, 90], ids=["whole batches", "a rest"])
@pytest.mark.parametrize("create", [sequences, upsampled])
def test_what_is_known_of_a_batch_is_what_keras_knows(create, rows):
    features = np.random.default_rng(0).integers(0, 50, (90, 12)) if create is sequences else X
    settings = {"epochs": 3, "batch_size": 16, "verbose": 0, "random_state": 1}
    shared = KerasClassifier(create, **settings).fit(features[:rows], Y[:rows])
    assert [loop._can_run_in_turn for loop in loops()] == [True]
    fresh = KerasClassifier(create, reuse=False, **settings).fit(features[:rows], Y[:rows])
    assert shared.history_ == fresh.history_
    for got, expected in zip(shared.model_.get_weights(), fresh.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
    for some in (features[:rows], features[:16], features[:21]):
        np.testing.assert_array_equal(shared.predict_proba(some), fresh.predict_proba(some))


def test_the_same_holds_for_the_other_kernels():
    """oneDNN's operations where this processor has TensorFlow's by default, and the other way round."""
    switched = "0" if IsMklEnabled() else "1"
    these = "test_both_ways_round_as_keras_does or test_what_is_known_of_a_batch"
    pytest = [sys.executable, "-m", "pytest", "-q", "--numprocesses=0", "-p", "no:cacheprovider", __file__, "-k", these]
    done = subprocess.run(pytest, env={**os.environ, ONEDNN: switched}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


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
    begun, preparing, after = 8 * [(1.0, 10)], (30.0, 10), 2 * [(1.0, 10)]
    slow = [(5.0, 10), (9.0, 20)]  # of each way
    measured = [*slow, (in_turn, 10), (2 * handed_out, 20), *3 * slow]
    ways = [next(comparison)]
    for seconds, rows in [*begun, preparing, *measured, *after]:
        ways.append(comparison.send(graph._Call(seconds, rows)))
    assert ways == [False] * 8 + [True] + 5 * [False, True] + [expected] * 3


def test_what_was_measured_beside_others_is_measured_again():
    comparison = graph._compare()
    assert [next(comparison), *(comparison.send(graph._Call(1.0, 1)) for _ in range(8))] == [False] * 8 + [True]
    way = comparison.send(graph._Call(1.0, 1))
    ways = []
    for call in range(150):
        # Something else keeps a core busy at first: handing out gains nothing then.
        way = comparison.send(graph._Call(0.5 if way and call > 20 else 1.0, 1))
        ways.append(way)
    assert ways[9:49] == [False] * 40
    assert ways[59:139] == [True] * 80


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


def test_steps_need_not_use_all_of_a_batch():
    seen = tf.Variable(0.0)

    def step(batch: dict[str, tf.Tensor]) -> None:
        seen.assign_add(batch["used"][0])

    def function(step, value: tf.Tensor) -> tf.Tensor:
        def body(n: tf.Tensor) -> tuple[tf.Tensor]:
            step({"another": value[None], "used": value[None], "unused": value[None]})
            return (n + 1,)

        return tf.while_loop(lambda n: n < 3, body, (tf.constant(0),))[0]

    row, number = tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32)
    loop = Loop(function, step, {"another": row, "used": row, "unused": row}, number)
    assert loop._can_run_in_turn
    loop(tf.constant(2.0), rows=1, is_alone=True)
    assert seen.numpy() == 3 * 2.0


@pytest.mark.parametrize("steps", [tf.cond, tf.while_loop], ids=["a condition", "a loop"])
def test_steps_that_control_their_flow_are_handed_out(steps):
    total = tf.Variable(0)

    def step(batch: tf.Tensor) -> None:
        if steps is tf.cond:
            added = tf.cond(batch[0] > 1, lambda: batch[0], lambda: 10 * batch[0])
        else:
            added = tf.while_loop(lambda n: n < 4, lambda n: (n + 3,), (batch[0],))[0]
        total.assign_add(added)

    def function(step, limit: tf.Tensor) -> tf.Tensor:
        def body(n: tf.Tensor) -> tuple[tf.Tensor]:
            step(n[None])
            return (n + 1,)

        return tf.while_loop(lambda n: n < limit, body, (tf.constant(0),))[0]

    loop = Loop(function, step, tf.TensorSpec((1,), tf.int32), tf.TensorSpec((), tf.int32))
    assert not loop._can_run_in_turn
    total.assign(0)  # the step was called to see what it is made of
    loop(tf.constant(4), rows=1, is_alone=True)
    assert total.numpy() == (0 + 10 + 2 + 3 if steps is tf.cond else 6 + 4 + 5 + 6)
