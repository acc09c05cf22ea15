from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from keras_networks import create_model, labels_and_features

from mlflow_hpo.core.reporting import Reporter, reporting
from mlflow_hpo.keras.watch import watch_fits


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_watching_imports_no_tensorflow():
    code = """
        import sys, mlflow_hpo.keras
        from mlflow_hpo.keras import watch_fits
        before = list(sys.meta_path)
        with watch_fits(), watch_fits():
            pass
        assert "keras" not in sys.modules and "tensorflow" not in sys.modules
        assert sys.meta_path == before
    """
    python(code)


@pytest.mark.slow
def test_keras_imported_inside_is_watched_and_put_back():
    code = """
        import os, sys
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        from mlflow_hpo.core.reporting import Reporter, reporting
        from mlflow_hpo.keras import watch_fits
        events = []
        with watch_fits(), reporting(Reporter(0, None, events.append)) as reporter:
            import numpy as np, keras
            model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            watched = keras.Model.fit
            model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0)
        assert [(e.fit, e.epoch) for e in events] == [(0, 0), (0, 1)], events
        assert reporter.last_model is model
        assert keras.Model.fit is not watched
        assert type(keras.__spec__.loader).__module__ == "_frozen_importlib_external", keras.__spec__
    """
    python(code)


@pytest.fixture
def model():
    return create_model(loss="sparse_categorical_crossentropy")


@pytest.mark.slow
def test_plain_fits_report_each_epoch_once_and_restore(model):
    import keras

    X, y = labels_and_features(30)
    original = keras.Model.fit
    events = []
    with reporting(Reporter(4, 1, events.append)) as reporter:
        model.fit(X, y, verbose=0)
        assert events == []
        with watch_fits(), watch_fits():
            model.fit(X, y, None, 2, 0, [keras.callbacks.History()], validation_data=(X, y))
            model.fit(
                X, y, epochs=1, verbose=0, callbacks=keras.callbacks.CallbackList([], add_history=True, model=model)
            )
        model.fit(X, y, verbose=0)
    with watch_fits():
        model.fit(X, y, verbose=0)
    assert [(e.trial, e.fold, e.fit, e.epoch) for e in events] == [(4, 1, 0, 0), (4, 1, 0, 1), (4, 1, 1, 0)]
    assert set(events[0].metrics) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert reporter.last_model is model
    assert keras.Model.fit is original


@pytest.mark.slow
@pytest.mark.parametrize("reuse", [True, False])
def test_estimators_report_once_even_when_watched(reuse):
    from mlflow_hpo.keras import KerasClassifier

    X, y = labels_and_features(30)
    events = []
    estimator = KerasClassifier(create_model, epochs=2, verbose=0, validation_split=0.2, reuse=reuse, random_state=1)
    with reporting(Reporter(0, 0, events.append)) as reporter, watch_fits():
        estimator.fit(X, y)
        estimator.partial_fit(X, y)
    assert [(e.fit, e.epoch) for e in events] == [(0, 0), (0, 1), (1, 2)]
    assert [e.metrics["val_loss"] for e in events] == estimator.history_["val_loss"]
    assert [e.metrics["loss"] for e in events] == estimator.history_["loss"]
    assert reporter.last_model is estimator.model_


@pytest.mark.slow
def test_threads_report_to_their_own_study_only():
    X, y = labels_and_features(30)
    heard = {0: [], 1: [], 2: []}
    models = {n: create_model(loss="sparse_categorical_crossentropy") for n in heard}
    barrier = threading.Barrier(3)

    def objective(number: int, watched: bool) -> None:
        barrier.wait(timeout=60)
        with reporting(Reporter(number, None, heard[number].append)):
            if watched:
                with watch_fits():
                    models[number].fit(X, y, epochs=number + 1, verbose=0)
            else:
                models[number].fit(X, y, verbose=0)

    threads = [threading.Thread(target=objective, args=(n, n < 2)) for n in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[e.trial for e in heard[n]] for n in heard] == [[0], [1, 1], []]
    assert np.isfinite(heard[1][1].metrics["loss"])
