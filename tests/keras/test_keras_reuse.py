"""Shared graphs against Keras's own: weights, optimizer, history and predictions must be equal to the last bit."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_networks import labels_and_features
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from mlflow_hpo.keras import KerasClassifier, KerasRegressor
from mlflow_hpo.keras.reuse import fit as reuse_fit
from mlflow_hpo.keras.reuse.pool import TwinPool, pool

pytestmark = pytest.mark.slow

layers = keras.layers
X, Y = labels_and_features(90)
TARGET = X @ np.arange(8, dtype="float32")


def compiled(
    model: Any, optimizer: Any = "adam", loss: str = "sparse_categorical_crossentropy", **settings: Any
) -> Any:
    model.compile(optimizer, loss=loss, **{"metrics": ["accuracy"], **settings})
    return model


def mlp(rate: float = 0.2, l1: float = 0.0, l2: float = 0.01, learning_rate: float = 0.01) -> Any:
    penalty = keras.regularizers.L1L2(l1, l2)
    hidden = layers.Dense(12, activation="relu", kernel_regularizer=penalty, bias_regularizer=keras.regularizers.L2(l2))
    model = keras.Sequential([layers.Input((8,)), hidden, layers.Dropout(rate), layers.Dense(3, "softmax")])
    return compiled(model, keras.optimizers.Adam(learning_rate))


def unbuilt(rate: float = 0.3) -> Any:
    return compiled(keras.Sequential([layers.Dense(6, "relu"), layers.Dropout(rate), layers.Dense(3, "softmax")]))


def cnn(rate: float = 0.2, l1: float = 0.001) -> Any:
    image = layers.Input((8,))
    x = layers.Reshape((4, 2, 1))(layers.Rescaling(0.5, offset=0.1)(image))
    x = layers.Conv2D(4, 2, padding="same", kernel_regularizer=keras.regularizers.L1(l1))(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.MaxPooling2D((2, 1))(x))
    x = keras.Sequential([layers.Dense(6, "tanh"), layers.Dropout(rate)])(x)
    return compiled(keras.Model(image, layers.Dense(3, "softmax")(x)))


def gru(dropout: float = 0.1, units: int = 4) -> Any:
    x = inputs = layers.Input((8,))
    x = layers.GRU(units, dropout=dropout)(layers.Reshape((4, 2))(x))
    return compiled(keras.Model(inputs, layers.Dense(3, "softmax")(x)))


def regression(rate: float = 0.1, learning_rate: float = 0.01) -> Any:
    model = keras.Sequential(
        [layers.Input((8,)), layers.Dense(5, "relu"), layers.Dropout(rate), layers.GaussianNoise(0.1), layers.Dense(1)]
    )
    return compiled(model, keras.optimizers.RMSprop(learning_rate), "mse", metrics=["mae", keras.metrics.R2Score()])


def two_inputs(rate: float = 0.2, named: bool = False) -> Any:
    left, right = layers.Input((3,), name="left"), layers.Input((5,), name="right")
    x = layers.Concatenate()([layers.Dense(4, "relu")(left), layers.Dropout(rate)(right)])
    x = x * 0.5 + keras.ops.mean(x, axis=1, keepdims=True)
    inputs = {"left": left, "right": right} if named else [left, right]
    return compiled(keras.Model(inputs, layers.Dense(3, "softmax")(x)))


def halves(X: Any) -> Any:
    return [X[:, :3], X[:, 3:]]


def named_halves(X: Any) -> Any:
    return {"right": X[:, 3:], "left": X[:, :3]}


class TwoInputs(KerasClassifier):
    @property
    def feature_encoder(self) -> Any:
        return FunctionTransformer(named_halves if getattr(self, "named", False) else halves)


def assert_equal(shared: Any, fresh: Any, X: Any = X) -> None:
    assert dict(shared.history_) == dict(fresh.history_)
    for got, expected in zip(shared.model_.get_weights(), fresh.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(shared.model_.optimizer.variables, fresh.model_.optimizer.variables, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected.numpy())
    seeds = [[v.numpy() for v in e.model_.non_trainable_variables] for e in (shared, fresh)]
    for got, expected in zip(*seeds, strict=True):
        np.testing.assert_array_equal(got, expected)
    predict = "predict_proba" if hasattr(shared, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(shared, predict)(X), getattr(fresh, predict)(X))


@pytest.fixture(autouse=True)
def own_pool():
    pool.clear()
    yield
    pool.clear()


@pytest.fixture
def by_keras(monkeypatch) -> list[str]:
    """Reasons for which Keras did the work itself."""
    reasons: list[str] = []
    monkeypatch.setattr(reuse_fit._log, "debug", lambda message, *args: reasons.append(message % args))
    return reasons


def check(
    estimator: Any, candidates: list[dict[str, Any]], by_keras: list[str], y: Any = Y, graphs: int = 1, **fit: Any
):
    """Fit candidates on shared graphs, in a mixed order, and each anew by Keras."""
    order = [*candidates, *reversed(candidates)]
    shared = [clone(estimator).set_params(**candidate).fit(X, y, **fit) for candidate in order]
    for number, candidate in enumerate(candidates):
        fresh = clone(estimator).set_params(reuse=False, **candidate).fit(X, y, **fit)
        # The second time, other candidates have used the graph in between.
        assert_equal(shared[number], fresh)
        shared[-1 - number].predict(X)
        assert_equal(shared[-1 - number], fresh)
    assert by_keras == []
    assert len(pool) == graphs
    return shared


SETTINGS: dict[str, Any] = {"verbose": 0, "epochs": 2, "batch_size": 16, "random_state": 3}

CASES: dict[str, tuple[Callable[..., Any], list[dict[str, Any]], dict[str, Any], int]] = {
    "mlp": (
        mlp,
        [{"rate": 0.2}, {"rate": 0.6, "l2": 0.1, "learning_rate": 0.1}, {"l1": 0.001}, {"rate": 0.0}],
        {},
        3,
    ),
    "cnn": (cnn, [{"rate": 0.1}, {"rate": 0.5, "l1": 0.1}], {}, 1),
    "gru": (gru, [{"dropout": 0.1}, {"dropout": 0.1, "random_state": 8}, {"units": 3}], {}, 2),
    "unbuilt": (unbuilt, [{"rate": 0.3}], {}, 1),
    "unshuffled": (mlp, [{"rate": 0.3}], {"shuffle": False}, 1),
    "class weights": (mlp, [{"l2": 0.1}], {"class_weight": "balanced"}, 1),
    "validation split": (mlp, [{"rate": 0.3}, {"l2": 0.1}], {"validation_split": 0.2, "validation_freq": 1}, 1),
    "other batches": (mlp, [{"batch_size": 90}, {"batch_size": 7, "predict__batch_size": 31}], {}, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_classifiers(case, by_keras):
    create, candidates, settings, graphs = CASES[case]
    check(KerasClassifier(create, **{**SETTINGS, **settings}), candidates, by_keras, graphs=graphs)


def test_regression_on_float64(by_keras):
    estimator = KerasRegressor(regression, **SETTINGS)
    shared = check(estimator, [{"rate": 0.1}, {"learning_rate": 0.1}], by_keras, TARGET.astype("float64"))
    assert set(shared[0].history_) == {"loss", "mean_absolute_error", "r2_score"}


@pytest.mark.parametrize("named", [False, True])
def test_several_inputs(named, by_keras):
    estimator = TwoInputs(two_inputs, named=named, **SETTINGS)
    check(estimator, [{"rate": 0.2}, {"rate": 0.4}], by_keras)


def test_sample_weights_and_validation_data(by_keras):
    weights = np.random.default_rng(0).uniform(size=90)
    weights[:5] = 0

    def weighted(rate=0.2):
        model = mlp(rate)
        return compiled(model, "adam", weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()])

    held_out = (X[::3], Y[::3], weights[::3])
    estimator = KerasClassifier(weighted, fit__validation_data=held_out, validation_batch_size=9, **SETTINGS)
    check(estimator, [{"rate": 0.2}, {"rate": 0.5}], by_keras, sample_weight=weights)


OPTIMIZERS: dict[str, tuple[Callable[..., Any], list[dict[str, Any]]]] = {
    "sgd": (keras.optimizers.SGD, [{"momentum": 0.9}, {"momentum": 0.5, "learning_rate": 0.1}]),
    "nesterov": (keras.optimizers.SGD, [{"momentum": m, "nesterov": True, "weight_decay": m / 9} for m in (0.9, 0.7)]),
    "adam": (keras.optimizers.Adam, [{"beta_1": 0.8}, {"beta_1": 0.95, "beta_2": 0.99}]),
    "amsgrad": (keras.optimizers.Adam, [{"amsgrad": True, "clipnorm": 1.0}]),
    "adamw": (keras.optimizers.AdamW, [{"weight_decay": 0.1}, {"weight_decay": 0.003, "learning_rate": 0.01}]),
    "rmsprop": (keras.optimizers.RMSprop, [{"rho": 0.8, "centered": True}, {"rho": 0.95, "centered": True}]),
    "rmsprop momentum": (keras.optimizers.RMSprop, [{"momentum": 0.9}, {"momentum": 0.3}]),
    "adagrad": (keras.optimizers.Adagrad, [{"learning_rate": 0.1}, {"learning_rate": 0.3}]),
    "adadelta": (keras.optimizers.Adadelta, [{}]),
    "nadam": (keras.optimizers.Nadam, [{}, {"learning_rate": 0.02}]),
    "adamax": (keras.optimizers.Adamax, [{}]),
    "ftrl": (keras.optimizers.Ftrl, [{}]),
    "lion": (keras.optimizers.Lion, [{"learning_rate": 0.001}]),
    "accumulating": (keras.optimizers.Adam, [{"gradient_accumulation_steps": 2}]),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, by_keras):
    optimizer, candidates = OPTIMIZERS[name]

    def create(settings):
        return compiled(keras.Sequential([layers.Input((8,)), layers.Dense(3, "softmax")]), optimizer(**settings))

    grid = [{"settings": settings} for settings in candidates]
    check(KerasClassifier(create, settings={}, **SETTINGS), grid, by_keras)


def test_metrics_with_state_and_names_of_their_own(by_keras):
    def create(rate=0.2):
        model = mlp(rate)
        return compiled(
            model, "adam", "categorical_crossentropy", metrics=[keras.metrics.AUC(), keras.metrics.Recall()]
        )

    def settled(history):
        # scikeras spells "auc" otherwise than "auc_1".
        return {key.rstrip("_0123456789").replace("_", ""): values for key, values in history.items()}

    estimators = [KerasClassifier(create, rate=rate, **SETTINGS).fit(X, Y) for rate in (0.2, 0.4, 0.2)]
    fresh = KerasClassifier(create, reuse=False, **SETTINGS).fit(X, Y)
    assert settled(estimators[0].history_) == settled(estimators[2].history_) == settled(fresh.history_)
    assert set(estimators[2].history_) == {
        "loss",
        *(m.name for m in estimators[2].model_._compile_config.config["metrics"]),
    }
    assert by_keras == []
    assert len(pool) == 1


def test_metrics_that_only_know_their_shape_from_data(by_keras):
    def create(rate=0.2):
        return compiled(
            mlp(rate), "adam", "categorical_crossentropy", metrics=[keras.metrics.F1Score(average="macro", name="f")]
        )

    check(KerasClassifier(create, **SETTINGS), [{"rate": 0.2}, {"rate": 0.3}], by_keras)


def events(log: list[Any]) -> keras.callbacks.Callback:
    def note(name):
        return lambda *args, **kwargs: log.append((name, *(copy.deepcopy(a) for a in args), *kwargs.values()))

    callback = keras.callbacks.Callback()
    for name in ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_test_begin", "on_test_end"):
        setattr(callback, name, note(name))
    return callback


def test_callbacks_at_epochs_see_what_keras_shows_them(by_keras):
    class Looks(keras.callbacks.Callback):
        def __init__(self, seen):
            super().__init__()
            self.seen = seen

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append([w.copy() for w in self.model.get_weights()])
            self.seen.append([self.model.predict(X[:4], verbose=0), int(self.model.optimizer.iterations)])

    logs, seen, fitted = [], [], []
    for reuse in (True, True, False):
        logs.append([])
        seen.append([])
        estimator = KerasClassifier(mlp, validation_split=0.2, reuse=reuse, **SETTINGS)
        # Callbacks are copied by clone, and would note elsewhere then.
        estimator.callbacks = [events(logs[-1]), Looks(seen[-1])]
        fitted.append(estimator.fit(X, Y))
    assert logs[0] == logs[1] == logs[2]
    assert [name for name, *_ in logs[0]].count("on_test_end") == 2
    for got, expected in zip(keras.tree.flatten(seen[1]), keras.tree.flatten(seen[2]), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert_equal(fitted[1], fitted[2])


CALLBACKS: dict[str, Callable[[], list[Any]]] = {
    "early stopping": lambda: [keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)],
    "schedule": lambda: [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)],
    "plateau": lambda: [keras.callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=10)],
    "weights": lambda: [keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: None)],
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_that_act_at_epochs(name, by_keras):
    fitted = []
    for reuse in (True, True, False):
        settings = {**SETTINGS, "epochs": 6, "validation_split": 0.3, "callbacks": CALLBACKS[name](), "reuse": reuse}
        fitted.append(KerasClassifier(mlp, learning_rate=0.1, **settings).fit(X, Y))
    assert_equal(fitted[0], fitted[2])
    assert_equal(fitted[1], fitted[2])
    assert by_keras == []
    if name == "early stopping":
        assert len(fitted[0].history_["loss"]) < 6


def test_continued_fits(by_keras):
    fitted = []
    for reuse in (True, False):
        estimator = KerasClassifier(mlp, warm_start=True, reuse=reuse, **SETTINGS).fit(X, Y)
        estimator.fit(X, Y)
        estimator.partial_fit(X, Y)
        fitted.append(estimator)
    assert_equal(*fitted)
    assert by_keras == []


def test_scikeras_itself_gives_the_same():
    import scikeras.wrappers

    ours = KerasClassifier(mlp, **SETTINGS).fit(X, Y)
    theirs = scikeras.wrappers.KerasClassifier(mlp, **SETTINGS).fit(X, Y)
    # scikeras leaves op determinism on.
    tf.config.experimental.enable_op_determinism()
    from tensorflow.python.framework.config import disable_op_determinism

    disable_op_determinism()
    assert_equal(ours, theirs)


def module_level_loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


class OwnLayer(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class OwnModel(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


def scheduled():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    return compiled(mlp(), keras.optimizers.Adam(schedule))


def normalized():
    normalization = layers.Normalization()
    normalization.adapt(X)
    return compiled(keras.Sequential([layers.Input((8,)), normalization, layers.Dense(3, "softmax")]))


def with_layer(layer):
    return compiled(keras.Sequential([layers.Input((8,)), layer, layers.Dense(3, "softmax")]))


def own_model():
    inputs = layers.Input((8,))
    return compiled(OwnModel(inputs, layers.Dense(3, "softmax")(inputs)))


NOT_SHARED: dict[str, tuple[Callable[..., Any], str]] = {
    "own loss": (lambda: compiled(mlp(), loss=module_level_loss), "module_level_loss is not Keras's own"),
    "own metric": (lambda: compiled(mlp(), metrics=[module_level_loss]), "module_level_loss is not Keras's own"),
    "own layer": (lambda: with_layer(OwnLayer()), "OwnLayer"),
    "lambda": (lambda: with_layer(layers.Lambda(lambda x: x * 2)), "Lambda"),
    "own activation": (lambda: with_layer(layers.Dense(4, activation=lambda x: x * 2)), "not Keras's own|holds a"),
    "own regularizer": (
        lambda: with_layer(layers.Dense(4, kernel_regularizer=lambda w: w[0, 0])),
        "not Keras's own|holds",
    ),
    "own train step": (own_model, "neither Sequential nor functional"),
    "schedule": (scheduled, "schedule"),
    "adapted": (normalized, "Normalization"),
    "eager": (lambda: compiled(mlp(), run_eagerly=True), "eagerly"),
    "averaged": (lambda: compiled(mlp(), keras.optimizers.Adam(use_ema=True)), "averages"),
    "half precision": (lambda: with_layer(layers.Dense(4, dtype="mixed_bfloat16")), "mixed_bfloat16"),
}


@pytest.mark.parametrize("name", NOT_SHARED)
def test_what_cannot_be_shared_is_left_to_keras(name, by_keras):
    create, reason = NOT_SHARED[name]
    shared = KerasClassifier(create, **SETTINGS).fit(X, Y)
    assert len(pool) == 0
    assert len(by_keras) == 1
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(by_keras[0])
    assert_equal(shared, KerasClassifier(create, reuse=False, **SETTINGS).fit(X, Y))


def test_callback_at_batches_is_called_as_by_keras(by_keras):
    batches = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    estimator = KerasClassifier(mlp, **SETTINGS)
    estimator.callbacks = [callback]
    estimator.fit(X, Y)
    assert batches == [0, 1, 2, 3, 4, 5] * 2
    assert len(by_keras) == 1


def test_networks_that_differ_share_nothing(by_keras):
    """A layer called like an activation must not hide which activation it has."""

    def create(name):
        return with_layer(layers.Dense(4, activation=name, name=name))

    check(KerasClassifier(create, name="relu", **SETTINGS), [{"name": "relu"}, {"name": "tanh"}], by_keras, graphs=2)


def test_wrapped_dropout_keeps_its_own_rate(by_keras):
    def create(rate=0.2):
        x = inputs = layers.Input((8,))
        inner = keras.Sequential([layers.Dense(2), layers.Dropout(rate)])
        x = layers.Flatten()(layers.TimeDistributed(inner)(layers.Reshape((4, 2))(x)))
        return compiled(keras.Model(inputs, layers.Dense(3, "softmax")(x)))

    check(KerasClassifier(create, **SETTINGS), [{"rate": 0.2}, {"rate": 0.6}], by_keras, graphs=2)


def test_estimators_own_their_weights():
    first = KerasClassifier(mlp, **SETTINGS).fit(X, Y)
    before = first.predict_proba(X)
    KerasClassifier(mlp, rate=0.5, **{**SETTINGS, "random_state": 5}).fit(X, Y)
    np.testing.assert_array_equal(first.predict_proba(X), before)
    np.testing.assert_array_equal(first.model_.predict(X, verbose=0, batch_size=16), before)
    pool.clear()
    restored = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(restored.predict_proba(X), before)


def test_changed_weights_are_predicted_with():
    estimator = KerasClassifier(mlp, **SETTINGS).fit(X, Y)
    estimator.model_.set_weights([w * 0 for w in estimator.model_.get_weights()])
    np.testing.assert_allclose(estimator.predict_proba(X), 1 / 3, rtol=1e-6)


def test_unseeded_fits_differ_and_leave_the_users_generators_alone():
    settings = {**SETTINGS, "random_state": None}
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    first, second = (KerasClassifier(mlp, **settings).fit(X, Y) for _ in range(2))
    assert first.history_["loss"] != second.history_["loss"]
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_less(second.history_["loss"][1], second.history_["loss"][0])


def test_global_seed_is_followed(by_keras):
    fitted = []
    for reuse in (True, True, False):
        keras.utils.set_random_seed(7)
        fitted.append(KerasClassifier(mlp, **{**SETTINGS, "random_state": None, "reuse": reuse}).fit(X, Y))
    tf.random.set_seed(None)
    assert_equal(fitted[0], fitted[2])
    assert_equal(fitted[1], fitted[2])
    assert by_keras == []


def test_function_that_draws_from_stateful_generators():
    def create():
        model = mlp()
        model.layers[0].set_weights([tf.random.normal((8, 12)).numpy(), np.zeros(12)])
        return model

    shared = [KerasClassifier(create, **SETTINGS).fit(X, Y) for _ in range(2)]
    fresh = KerasClassifier(create, reuse=False, **SETTINGS).fit(X, Y)
    assert_equal(shared[0], fresh)
    assert_equal(shared[1], fresh)


def test_seeded_fit_does_not_spoil_unseeded_ones():
    KerasClassifier(mlp, **SETTINGS).fit(X, Y)
    KerasClassifier(mlp, **{**SETTINGS, "random_state": None, "reuse": False}).fit(X, Y)


def test_threads_get_what_they_would_alone(by_keras):
    rates = [0.1, 0.3, 0.5, 0.7]
    estimators = [KerasClassifier(mlp, rate=rate, **SETTINGS) for rate in rates]
    threads = [threading.Thread(target=estimator.fit, args=(X, Y)) for estimator in estimators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(pool) <= 4
    for estimator in estimators:
        assert_equal(estimator, clone(estimator).set_params(reuse=False).fit(X, Y))
    assert by_keras == []


@pytest.mark.parametrize("create", [mlp, scheduled], ids=["shared", "by Keras itself"])
def test_threads_with_seeds_of_their_own(create):
    settings = {**SETTINGS, "epochs": 3}
    estimators = [KerasClassifier(create, **{**settings, "random_state": seed}) for seed in range(4)]
    rows = [slice(0, 40 + 3 * number) for number in range(4)]
    begin = threading.Barrier(4)

    def fit(estimator, rows):
        begin.wait()
        for _ in range(3):
            estimator.fit(X[rows], Y[rows])

    threads = [threading.Thread(target=fit, args=pair) for pair in zip(estimators, rows, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for estimator, few in zip(estimators, rows, strict=True):
        assert_equal(estimator, clone(estimator).set_params(reuse=False).fit(X[few], Y[few]))


def test_pool_keeps_the_most_recently_used():
    small = TwinPool(capacity=2)
    made: list[str] = []

    def make(name):
        def maker():
            made.append(name)
            return name

        return maker

    for name in ("a", "b", "a", "c", "a", "b"):
        with small.lease(name, make(name)):
            pass
    assert made == ["a", "b", "c", "b"]
    with small.lease("a", make("a")), small.lease("a", make("a")):
        pass
    assert made[-1] == "a"
    assert len(small) == 2


def test_twin_that_cannot_be_made_is_not_tried_again(monkeypatch, by_keras):
    tried = itertools.count()

    def broken(*args):
        next(tried)
        raise RuntimeError("no")

    monkeypatch.setattr(reuse_fit, "Twin", broken)
    pool._refused.clear()
    for _ in range(2):
        KerasClassifier(mlp, **SETTINGS).fit(X, Y)
    assert next(tried) == 1
    assert "cannot be copied" in by_keras[0]
    pool._refused.clear()


def test_progress_is_shown(capsys):
    KerasClassifier(mlp, **{**SETTINGS, "verbose": 1}).fit(X, Y)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown
    assert "6/6" in shown
    assert "accuracy" in shown
