"""Models around Keras networks: alone, in pipelines, stacked; loaded where neither mlflow_hpo nor the source is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from model_helpers import assert_same_bits, predict_elsewhere, save_estimator
from serving import answers, free_port, running, wait_until
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.tracking.packing import pack_estimator, template_of

pytestmark = pytest.mark.slow

X, Y = load_iris(return_X_y=True)
X32 = X.astype("float32")
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
FRAME = pd.DataFrame(
    {"length": X[:, 0], "width": X[:, 1], "count": np.arange(150) % 7, "colour": ["red", "green", "blue"] * 50}
)


def create_classifier(units: int = 8, outputs: int = 3, loss: str = "sparse_categorical_crossentropy") -> Any:
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(outputs, activation="softmax" if outputs > 1 else "sigmoid"),
        ]
    )
    model.compile("adam", loss)
    return model


def create_image_classifier() -> Any:
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((2, 2, 1)),
            keras.layers.Conv2D(4, 2),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def create_regressor(meta: dict[str, Any]) -> Any:
    import keras

    model = keras.Sequential(
        [keras.layers.Input((meta["n_features_in_"],)), keras.layers.Dense(8), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def classifier(function: Callable[..., Any] = create_classifier, **params: Any) -> Any:
    from mlflow_hpo.keras import KerasClassifier

    return KerasClassifier(function, epochs=1, verbose=0, random_state=0, **params)


def regressor() -> Any:
    from mlflow_hpo.keras import KerasRegressor

    return KerasRegressor(create_regressor, epochs=1, verbose=0, random_state=0)


def frame_regressor() -> Any:
    columns = make_column_transformer(
        (StandardScaler(), ["length", "width", "count"]), (OneHotEncoder(sparse_output=False), ["colour"])
    )
    return make_pipeline(columns, regressor())


# name -> (estimator, X, y)
CASES: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "alone": lambda: (classifier(), X32, Y),
    "strings": lambda: (make_pipeline(StandardScaler(), classifier()), X32, NAMES),
    "one-hot loss": lambda: (classifier(loss="categorical_crossentropy"), X32, NAMES),
    "binary": lambda: (classifier(outputs=1, loss="binary_crossentropy"), X32[:100], NAMES[:100]),
    "images": lambda: (classifier(create_image_classifier), X32.reshape(150, 2, 2, 1), NAMES),
    "frame": lambda: (frame_regressor(), FRAME, X32[:, 3]),
    "target": lambda: (TransformedTargetRegressor(regressor(), transformer=StandardScaler()), X32, X32[:, 3]),
    "voting": lambda: (VotingClassifier([("k", classifier()), ("l", LogisticRegression())], voting="soft"), X32, NAMES),
    "stacking": lambda: (StackingClassifier([("k", classifier()), ("l", classifier(units=4))], cv=2), X32, NAMES),
    "search": lambda: (GridSearchCV(classifier(), {"units": [4, 8]}, cv=2), X32, NAMES),
}
# Nothing but a network and labels: these need no skops.
PLAIN = {"alone", "one-hot loss", "binary", "images"}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any, Any, Any]]:
    """Each case's model directory, fitted estimator, X and y."""
    folder = tmp_path_factory.mktemp("models")
    cases = {}
    for name, case in CASES.items():
        estimator, data, y = case()
        template = template_of(estimator, data, y)
        estimator.fit(data, y)
        save_estimator(estimator, folder / name, template)
        cases[name] = (folder / name, estimator, data, y)
    return cases


def questions_of(name: str, case: tuple[Path, Any, Any, Any]) -> list[tuple[Path, Any, str]]:
    path, estimator, data, _ = case
    methods = [method for method in ("predict", "predict_proba") if hasattr(estimator, method)]
    return [(path, data, method) for method in methods]


def test_the_same_bits_in_a_fresh_process(fitted: dict[str, Any], tmp_path: Path) -> None:
    asked = [(name, question) for name, case in fitted.items() for question in questions_of(name, case)]
    answers = predict_elsewhere([question for _, question in asked], tmp_path, blocked=("test_models_keras",))
    for (name, (_, data, method)), answer in zip(asked, answers, strict=True):
        assert_same_bits(answer, getattr(fitted[name][1], method)(data))


def test_nothing_but_native_networks_and_skops(fitted: dict[str, Any]) -> None:
    for name, (path, *_) in fitted.items():
        assert (path / "estimator.skops").exists() == (name not in PLAIN)
        assert not list(path.rglob("*.pkl"))
        pins = (path / "requirements.txt").read_text()
        assert all(f"{name}==" in pins for name in ("keras", "scikeras"))
        assert "tensorflow" in pins


def test_a_network_is_written_without_scikit_learn(fitted: dict[str, Any], tmp_path: Path) -> None:
    _, estimator, data, y = fitted["alone"]
    packed = tmp_path / "packed"
    packed.write_bytes(pack_estimator(estimator, template_of(estimator, data, y)).to_bytes())
    script = """
import sys
from pathlib import Path
import mlflow_hpo.tracking.delivery._process
from mlflow_hpo.tracking.models import PackedModel, save_packed
save_packed(PackedModel.from_bytes(Path(sys.argv[1]).read_bytes()), sys.argv[2])
assert not {"sklearn", "skops", "keras"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script, packed, tmp_path / "model"], check=True)
    assert_same_bits(mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(data), estimator.predict(data))


def test_mlflow_keras_opens_the_bare_network(fitted: dict[str, Any]) -> None:
    for name in ("alone", "strings", "images", "search"):
        path, estimator, data, _ = fitted[name]
        network = mlflow.keras.load_model(str(path))
        own = getattr(estimator, "best_estimator_", estimator)
        own = own[-1] if hasattr(own, "steps") else own
        batch = np.asarray(data) if name != "strings" else estimator[0].transform(data)
        assert_same_bits(network.predict(batch, verbose=0), own.model_.predict(batch, verbose=0))


class Bare(BaseEstimator):
    """A network without an estimator's ways."""

    def __init__(self, network: Any = None) -> None:
        self.network = network

    def predict(self, X: Any) -> Any:
        return self.network.predict(X, verbose=0)

    def to_portable(self) -> PortableNetwork:
        return PortableNetwork(self.network, "regressor", None, None, 32)


def test_a_network_with_several_inputs(tmp_path: Path) -> None:
    import keras

    inputs = [keras.layers.Input((4,), name="left"), keras.layers.Input((2,), name="right")]
    network = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(inputs)))
    data = {"left": X32, "right": X32[:, :2]}
    save_estimator(Bare(network), tmp_path, template_of(Bare(), data, Y))
    assert_same_bits(mlflow.pyfunc.load_model(str(tmp_path)).predict(data), network.predict(data, verbose=0))


def test_sparse_features(tmp_path: Path) -> None:
    estimator = make_pipeline(OneHotEncoder(), regressor())
    data = FRAME[["colour"]]
    template = template_of(estimator, data, X32[:, 3])
    save_estimator(estimator.fit(data, X32[:, 3]), tmp_path, template)
    assert_same_bits(mlflow.pyfunc.load_model(str(tmp_path)).predict(data), estimator.predict(data))


def test_saving_disturbs_nothing(fitted: dict[str, Any], tmp_path: Path) -> None:
    _, estimator, data, y = fitted["alone"]
    before = [np.array(weight) for weight in estimator.model_.get_weights()]
    network = estimator.model_
    save_estimator(estimator, tmp_path / "model", template_of(estimator, data, y))
    assert estimator.model_ is network
    assert joblib.hash(before) == joblib.hash([np.array(weight) for weight in network.get_weights()])
    estimator.partial_fit(data, y)  # still trainable


def test_other_types_are_cast_to_the_training_type(fitted: dict[str, Any]) -> None:
    path, estimator, data, _ = fitted["images"]
    model = mlflow.pyfunc.load_model(str(path))
    assert_same_bits(model.predict(data.astype("float64")), estimator.predict(data))
    path, estimator, data, _ = fitted["strings"]
    assert_same_bits(mlflow.pyfunc.load_model(str(path)).predict(data.astype("float64")), estimator.predict(data))


def test_images_are_answered_from_json(fitted: dict[str, Any]) -> None:
    path, estimator, data, _ = fitted["images"]
    model = mlflow.pyfunc.load_model(str(path))
    for key in ("inputs", "instances"):
        parsed = infer_and_parse_data({key: data[:5].tolist()}, model.metadata.get_input_schema())
        assert_same_bits(model.predict(parsed), estimator.predict(data[:5]))


@pytest.fixture
def server(fitted: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """Address of `mlflow models serve` on the pipeline's model."""
    port, log = free_port(), tmp_path / "serve.log"
    scripts = Path(sys.executable).parent
    command = [scripts / "mlflow", "models", "serve", "--env-manager", "local", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--model-uri", fitted["strings"][0]]
    with running(command, log, {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}):
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/ping"), "mlflow models serve", log)
        yield address


def test_mlflow_models_serve_answers(server: str, fitted: dict[str, Any]) -> None:
    _, estimator, data, _ = fitted["strings"]
    rows = data[::30]

    def ask(question: dict[str, Any]) -> Any:
        response = requests.post(f"{server}/invocations", json=question, timeout=60)
        assert response.ok, response.text
        return response.json()["predictions"]

    labels = estimator.predict(rows).tolist()
    assert ask({"inputs": rows.tolist()}) == labels
    assert ask({"instances": rows.tolist()}) == labels
    assert ask({"dataframe_split": {"data": rows.tolist()}}) == labels
    proba = {"inputs": rows.tolist(), "params": {"predict_method": "predict_proba"}}
    # float32 goes through JSON unharmed.
    assert_same_bits(np.array(ask(proba), dtype="float32"), estimator.predict_proba(rows))


def test_both_members_of_a_stack_keep_their_network(fitted: dict[str, Any]) -> None:
    path = fitted["stacking"][0]
    assert sorted(file.name for file in (path / "networks").iterdir()) == ["0.keras", "1.keras"]
