from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest
from keras_networks import create_model, labels_and_features
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.core.portable import SupportsPortable
from mlflow_hpo.keras import KerasClassifier, KerasRegressor

pytestmark = pytest.mark.slow


def classifier(**params):
    return KerasClassifier(create_model, **{"epochs": 8, "verbose": 0, "random_state": 0, **params})


def linear_model(units=4, learning_rate=0.01):
    model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(learning_rate), loss="mse")
    return model


def uncompiled_model():
    return keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(3, "softmax")])


def test_old_spelling_adopts_arguments_without_noise(recwarn):
    X, y = labels_and_features(30)
    estimator = KerasClassifier(build_fn=create_model, verbose=0).set_params(learning_rate=0.5)
    assert estimator.get_params()["dropout_rate"] == 0.2
    copied = clone(estimator)
    assert copied.get_params()["learning_rate"] == 0.5
    copied.fit(X, y)
    assert copied.model_.optimizer.learning_rate.numpy() == np.float32(0.5)
    assert not [w for w in recwarn if "build_fn" in str(w.message)]


def test_values_reach_the_function_from_a_grid():
    X, y = labels_and_features(45)
    seen = []

    def recording(learning_rate=0.01, dropout_rate=0.2):
        seen.append((learning_rate, dropout_rate))
        return create_model(learning_rate, dropout_rate)

    grid = {"learning_rate": [0.1, 0.001], "dropout_rate": [0.1, 0.5]}
    search = GridSearchCV(KerasClassifier(recording, verbose=0), grid, cv=2, refit=False, error_score="raise").fit(X, y)
    assert set(seen) == {(0.1, 0.1), (0.1, 0.5), (0.001, 0.1), (0.001, 0.5)}
    assert set(search.best_params_) == {"learning_rate", "dropout_rate"}


def test_name_that_estimator_and_function_share_reaches_both():
    def create(optimizer="adam", loss="sparse_categorical_crossentropy"):
        model = uncompiled_model()
        model.compile(optimizer, loss=loss)
        return model

    X, y = labels_and_features(30)
    estimator = KerasClassifier(create, verbose=0)
    assert estimator.optimizer == "adam"
    assert type(estimator.fit(X, y).model_.optimizer) is keras.optimizers.Adam
    other = clone(estimator).set_params(optimizer="rmsprop").fit(X, y)
    assert type(other.model_.optimizer) is keras.optimizers.RMSprop


def test_another_function_brings_its_own_arguments():
    estimator = KerasRegressor(linear_model, units=7)
    estimator.set_params(model=create_model)
    assert estimator.dropout_rate == 0.2
    assert estimator.learning_rate == 0.01
    with pytest.raises(InvalidArgumentError, match="units"):
        clone(estimator)


@pytest.mark.parametrize(
    "make", [lambda: KerasClassifier(create_model, dropout=0.1), lambda: classifier().set_params(dropout=0.1)]
)
def test_parameter_that_nobody_takes(make):
    with pytest.raises(InvalidArgumentError, match=r"create_model.*Did you mean 'dropout_rate'"):
        make()


def test_bare_fit_settings_go_to_keras_not_to_the_function():
    X, y = labels_and_features(30)
    estimator = classifier(epochs=4, validation_split=0.2, validation_freq=2).fit(X, y)
    assert len(estimator.history_["val_loss"]) == 2


def test_routed_parameters_still_work():
    X, y = labels_and_features(30)
    estimator = KerasClassifier(
        uncompiled_model,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=0.5,
        callbacks=keras.callbacks.EarlyStopping,
        callbacks__monitor="loss",
        verbose=0,
    )
    estimator.set_params(callbacks__patience=3, optimizer__learning_rate=0.25, fit__batch_size=10).fit(X, y)
    assert estimator.model_.optimizer.learning_rate.numpy() == 0.25
    assert estimator._fit_callbacks[0].patience == 3
    assert estimator.model_.optimizer.iterations.numpy() == 3


def test_callbacks_may_be_nested():
    X, y = labels_and_features(30)
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    KerasClassifier(create_model, verbose=0, epochs=2, callbacks={"a": [callback]}).fit(X, y)
    assert seen == [0, 1]


def test_scikit_learn_sees_what_they_are():
    assert is_classifier(classifier())
    assert is_regressor(KerasRegressor(linear_model))
    X, y = labels_and_features(60)
    order = np.argsort(y, kind="stable")
    assert cross_val_score(classifier(), X[order], y[order], cv=3).min() > 0.7
    scores = cross_val_score(classifier(), X, y, cv=2, scoring="roc_auc_ovr")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "encode", [lambda y: y, lambda y: y.astype(str), lambda y: np.eye(3, dtype=int)[y], lambda y: np.eye(3)[y]]
)
def test_labels_of_any_kind_suit_categorical_crossentropy(encode):
    X, y = labels_and_features(90)
    targets = encode(y)
    search = GridSearchCV(classifier(), {"learning_rate": [0.03]}, cv=3, scoring="accuracy", error_score="raise")
    search.fit(X, targets)
    assert search.best_score_ > 0.8
    assert accuracy_score(targets, search.predict(X)) > 0.8
    assert search.predict_proba(X).shape == (90, 3)


def test_two_classes_suit_categorical_crossentropy():
    def two_columns():
        model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(2, "softmax")])
        model.compile("adam", loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
        return model

    X, y = labels_and_features(90)
    X, labels = X[y < 2], np.array(["no", "yes"])[y[y < 2]]
    estimator = KerasClassifier(two_columns, verbose=0, epochs=20, optimizer__learning_rate=0.1).fit(X, labels)
    assert set(estimator.predict(X)) <= {"no", "yes"}
    raw = estimator.model_.predict(X, verbose=0)
    np.testing.assert_array_equal(estimator.predict(X), np.array(["no", "yes"])[raw.argmax(axis=1)])


def test_weights_of_one_hot_classes_are_those_of_their_labels():
    X, y = labels_and_features(60)
    weights = {0: 5.0, 1: 1.0, 2: 0.5}
    by_label = classifier(class_weight=weights).fit(X, y)
    by_column = classifier(class_weight=weights).fit(X, np.eye(3)[y])
    assert by_label.history_["loss"] == by_column.history_["loss"]
    given = np.ones(60)
    classifier(class_weight=weights, epochs=1).fit(X, y, sample_weight=given)
    assert (given == 1).all()


def test_fitted_estimators_pickle_with_all_parameters():
    X, y = labels_and_features(60)
    estimator = classifier(reuse=False, dropout_rate=0.4).fit(X, y)
    restored = pickle.loads(pickle.dumps(estimator))
    assert restored.get_params() == estimator.get_params()
    np.testing.assert_array_equal(restored.predict_proba(X), estimator.predict_proba(X))


def test_partial_fit_continues():
    X, y = labels_and_features(60)
    estimator = classifier(epochs=2).fit(X, y)
    estimator.partial_fit(X, y)
    assert len(estimator.history_["loss"]) == 3
    assert estimator.current_epoch == 3


def test_warm_start_keeps_the_network():
    X, y = labels_and_features(60)
    estimator = classifier(epochs=2, warm_start=True).fit(X, y)
    network, before = estimator.model_, estimator.history_["loss"][-1]
    estimator.fit(X, y)
    assert estimator.model_ is network
    assert estimator.history_["loss"][-1] < before


def test_pipeline_of_scaler_and_regressor():
    X, _ = labels_and_features(60)
    y = X @ np.arange(8.0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), KerasRegressor(linear_model, verbose=0, epochs=3)),
        {"kerasregressor__units": [2, 5], "kerasregressor__learning_rate": [0.1]},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    network = search.best_estimator_[-1].model_
    assert network.layers[0].units == search.best_params_["kerasregressor__units"]


@pytest.mark.parametrize(
    ("encode", "loss"),
    [
        (lambda y: y, "categorical_crossentropy"),
        (lambda y: y.astype(str), "sparse_categorical_crossentropy"),
        (lambda y: np.eye(3, dtype=int)[y], "categorical_crossentropy"),
    ],
)
def test_portable_parts_rebuild_predictions(encode, loss):
    X, y = labels_and_features(60)
    targets = encode(y)
    estimator = classifier(loss=loss, batch_size=7).fit(X, targets)
    assert isinstance(estimator, SupportsPortable)
    parts = estimator.to_portable()
    encoder = pickle.loads(pickle.dumps(parts.target_encoder))
    raw = parts.network.predict(X, batch_size=parts.batch_size, verbose=0)
    assert (parts.kind, parts.batch_size, parts.feature_encoder) == ("classifier", 7, None)
    np.testing.assert_array_equal(encoder.inverse_transform(raw), estimator.predict(X))
    np.testing.assert_array_equal(encoder.inverse_transform(raw, return_proba=True), estimator.predict_proba(X))
    assert encoder.loss in (None, "categorical_crossentropy")


def test_portable_regressor_with_all_rows_a_step():
    X, _ = labels_and_features(60)
    y = np.stack([X.sum(axis=1), X.min(axis=1)], axis=1)

    def two_outputs():
        model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(2)])
        model.compile("sgd", loss="mse")
        return model

    estimator = KerasRegressor(two_outputs, verbose=0, batch_size=-1).fit(X, y)
    parts = estimator.to_portable()
    raw = parts.network.predict(X, batch_size=parts.batch_size, verbose=0)
    assert parts.kind == "regressor"
    np.testing.assert_array_equal(parts.target_encoder.inverse_transform(raw), estimator.predict(X))
