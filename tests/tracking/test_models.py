"""The one format of models: what it holds, what it accepts, what it refuses."""

from __future__ import annotations

import json
import logging
import pickle
import threading
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from model_helpers import assert_same_bits, predict_elsewhere, save_estimator
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import BisectingKMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, TweedieRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.models import LOADER_MODULE, ModelNotSavableError, PackedModel, save_packed
from mlflow_hpo.tracking.packing import pack_estimator, template_of

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
FRAME = pd.DataFrame(
    {
        "length": X[:, 0],
        "width": X[:, 1].astype("float32"),
        "count": np.arange(150) % 7,
        "colour": np.array(["red", "green", None], dtype=object)[np.arange(150) % 3],
        "size": pd.Categorical(np.array(["s", "m", "l"])[np.arange(150) % 3], ["s", "m", "l"], ordered=True),
        "seen": pd.date_range("2024-01-01", periods=150),
        "flag": np.arange(150) % 2 == 0,
    }
)


def saved(estimator: Any, data: Any, y: Any, path: Path) -> Any:
    """Save a fitted estimator and load it again, in this process."""
    save_estimator(estimator, path, template_of(estimator, data, y))
    return mlflow.pyfunc.load_model(str(path))


def frame_pipeline() -> Any:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["length", "width", "count"]),
        (OneHotEncoder(handle_unknown="ignore"), ["colour", "size"]),
        ("passthrough", ["flag"]),
    )
    return make_pipeline(columns, LogisticRegression())


ESTIMATORS = {
    "linear": LogisticRegression(max_iter=500),
    "svc": SVC(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(5, random_state=0),
    "histogram": HistGradientBoostingClassifier(max_iter=3),
    "neighbours": KNeighborsClassifier(algorithm="kd_tree"),
    "search": GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, cv=2),
    "voting": VotingClassifier(
        [("a", LogisticRegression(max_iter=500)), ("b", RandomForestClassifier(3))], voting="soft"
    ),
    "stacking": StackingClassifier([("a", SVC()), ("b", RandomForestClassifier(3))], cv=2),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("y", [Y, NAMES], ids=["numbers", "strings"])
def test_predicts_what_the_estimator_predicted(name: str, y: Any, tmp_path: Path) -> None:
    estimator = ESTIMATORS[name].fit(X, y)
    model = saved(estimator, X, y, tmp_path)
    assert (tmp_path / "estimator.skops").exists()
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(estimator, method):
            assert_same_bits(model.predict(X, params={"predict_method": method}), getattr(estimator, method)(X))


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianProcessClassifier(1.0 * RBF()),
        CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2),
        MLPClassifier(4, max_iter=5),
        make_pipeline(SelectKBest(k=2), OneVsRestClassifier(LogisticRegression(max_iter=500))),
        make_pipeline(SplineTransformer(), FunctionTransformer(np.nan_to_num), Ridge()),
        BisectingKMeans(3, random_state=0),
        TweedieRegressor(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_skops_holds_scikit_learns_inner_types(estimator: Any, tmp_path: Path) -> None:
    model = saved(estimator.fit(X, Y), X, Y, tmp_path)
    assert (tmp_path / "estimator.skops").exists()
    assert_same_bits(model.predict(X), estimator.predict(X))


def test_a_search_inside_leaves_its_distributions_behind(tmp_path: Path) -> None:
    import scipy.stats

    search = RandomizedSearchCV(Ridge(), {"alpha": scipy.stats.uniform(0, 1)}, n_iter=2, cv=2, random_state=0)
    estimator = make_pipeline(StandardScaler(), search).fit(X, Y)
    assert_same_bits(saved(estimator, X, Y, tmp_path).predict(X), estimator.predict(X))
    assert (tmp_path / "estimator.skops").exists()


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64", "uint64", "bool", "float16"])
def test_arrays_of_the_training_type_pass_to_the_last_bit(dtype: str, tmp_path: Path) -> None:
    data = (X * 10).astype(dtype)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, Y)
    model = saved(estimator, data, Y, tmp_path)
    params = {"predict_method": "predict_proba"}
    assert_same_bits(model.predict(data, params=params), estimator.predict_proba(data))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(lambda data: data.astype("float64"), id="float64"),
        pytest.param(lambda data: data.astype("int32"), id="int32"),
        pytest.param(lambda data: data.astype("uint8"), id="uint8"),
        pytest.param(lambda data: data.tolist(), id="lists"),
        pytest.param(lambda data: pd.DataFrame(data), id="DataFrame"),
        pytest.param(lambda data: np.asfortranarray(data), id="Fortran order"),
    ],
)
def test_a_model_trained_on_float32_takes_other_types(sent: Any, tmp_path: Path) -> None:
    data = (X * 10).round().astype("float32")
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, NAMES)
    model = saved(estimator, data, NAMES, tmp_path)
    params = {"predict_method": "predict_proba"}
    assert_same_bits(model.predict(sent(data), params=params), estimator.predict_proba(data))


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int64"])
def test_images_keep_their_shape(dtype: str, tmp_path: Path) -> None:
    images = (X * 10).astype("uint8").astype("float32").reshape(150, 2, 2, 1)
    estimator = make_pipeline(Flatten(), LogisticRegression(max_iter=500)).fit(images, Y)
    model = saved(estimator, images, Y, tmp_path)
    assert "(-1, 2, 2, 1)" in model.metadata.signature.inputs.input_names()[0]
    assert_same_bits(model.predict(images.astype(dtype)), estimator.predict(images))
    with pytest.raises(ValueError, match=r"shape \(n, 2, 2, 1\); got \(150, 4\)"):
        model.predict(X)


class Flatten(BaseEstimator):
    """A transformer of the user's own."""

    def fit(self, X: Any, y: Any = None) -> Flatten:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X).reshape(len(X), -1)


def test_data_frames_keep_names_types_and_missing_values(tmp_path: Path) -> None:
    estimator = frame_pipeline().fit(FRAME, NAMES)
    model = saved(estimator, FRAME, NAMES, tmp_path)
    assert model.metadata.signature.inputs.input_names() == list(FRAME.columns)
    params = {"predict_method": "predict_proba"}
    assert_same_bits(model.predict(FRAME, params=params), estimator.predict_proba(FRAME))
    shuffled = FRAME.sample(frac=1, random_state=0)[FRAME.columns[::-1]]
    assert_same_bits(model.predict(shuffled, params=params), estimator.predict_proba(shuffled))
    whole_numbers = FRAME.assign(
        length=5, count=FRAME["count"].where(FRAME["count"] > 2)
    )  # int64, and float64 with NaN
    assert_same_bits(model.predict(whole_numbers), estimator.predict(whole_numbers))


def test_data_frames_come_back_from_json(tmp_path: Path) -> None:
    estimator = frame_pipeline().fit(FRAME, NAMES)
    model = saved(estimator, FRAME, NAMES, tmp_path)
    rows = FRAME.iloc[::10]
    records = json.loads(rows.to_json(orient="records", date_format="iso", double_precision=15))
    for question in ({"dataframe_records": records}, {"inputs": records}):
        parsed = infer_and_parse_data(question, model.metadata.get_input_schema())
        assert_same_bits(model.predict(parsed), estimator.predict(rows))


def test_columns_that_json_has_no_words_for(tmp_path: Path) -> None:
    binned = pd.DataFrame({"bin": pd.cut(X[:, 0], 3), "length": X[:, 1]})
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["bin"]), remainder="passthrough")
    estimator = make_pipeline(columns, LogisticRegression()).fit(binned, Y)
    assert_same_bits(saved(estimator, binned, Y, tmp_path / "bins").predict(binned), estimator.predict(binned))
    dated = pd.DataFrame(X, columns=pd.date_range("2024-01-01", periods=4))
    estimator = LogisticRegression(max_iter=500).fit(dated, Y)
    assert_same_bits(saved(estimator, dated, Y, tmp_path / "dates").predict(dated), estimator.predict(dated))


def test_categories_reach_an_estimator_that_reads_them_from_the_type(tmp_path: Path) -> None:
    data = FRAME[["length", "size"]]
    estimator = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype").fit(data, Y)
    model = saved(estimator, data, Y, tmp_path)
    assert_same_bits(model.predict(data), estimator.predict(data))
    assert_same_bits(model.predict(data.astype({"size": object})), estimator.predict(data))


def test_texts_sparse_matrices_and_unnamed_columns(tmp_path: Path) -> None:
    texts = [f"word{i % 3} and word{i % 5}" for i in range(150)]
    estimator: Any = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, NAMES)
    model = saved(estimator, texts, NAMES, tmp_path / "texts")
    assert_same_bits(model.predict(texts), estimator.predict(texts))
    assert_same_bits(model.predict(pd.Series(texts)), estimator.predict(texts))

    sparse = scipy.sparse.csr_array(X)
    estimator = LogisticRegression(max_iter=500).fit(sparse, Y)
    assert_same_bits(saved(estimator, sparse, Y, tmp_path / "sparse").predict(sparse), estimator.predict(sparse))

    unnamed = pd.DataFrame(X)
    estimator = LogisticRegression(max_iter=500).fit(unnamed, Y)
    assert_same_bits(saved(estimator, unnamed, Y, tmp_path / "unnamed").predict(unnamed), estimator.predict(unnamed))


def test_several_targets(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(X, X[:, :2])
    model = saved(estimator, X, X[:, :2], tmp_path)
    assert_same_bits(model.predict(X), estimator.predict(X))
    assert model.metadata.signature.outputs.inputs[0].shape == (-1, 2)


def test_asking_for_a_method_that_is_not_there(tmp_path: Path) -> None:
    model = saved(LinearRegression().fit(X, Y), X, Y, tmp_path)
    with pytest.raises(ValueError, match="LinearRegression has no predict_proba"):
        model.predict(X, params={"predict_method": "predict_proba"})
    with pytest.raises(ValueError, match="one of predict, predict_proba, decision_function; got 'fit'"):
        model.predict(X, params={"predict_method": "fit"})


def test_the_files_of_a_model(tmp_path: Path) -> None:
    model = saved(LogisticRegression(max_iter=500).fit(X, Y), X, Y, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(
            "MLmodel",
            "code.zip",
            "conda.yaml",
            "estimator.json",
            "estimator.skops",
            "python_env.yaml",
            "requirements.txt",
        ),
    }
    requirements = (tmp_path / "requirements.txt").read_text().split()
    assert any(pin.startswith("scikit-learn==") for pin in requirements)
    assert not any(pin.startswith(("keras", "tensorflow", "mlflow-hpo")) for pin in requirements)
    assert set(model.metadata.flavors) == {"python_function"}
    assert model.metadata.model_size_bytes > 1000


def test_more_metadata(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(X, Y)
    save_estimator(estimator, tmp_path, template_of(estimator, X, Y), metadata={"trial": 3})
    assert mlflow.models.Model.load(str(tmp_path)).metadata == {"trial": 3}


def test_a_template_goes_to_a_worker_and_the_model_comes_back(tmp_path: Path) -> None:
    estimator = LogisticRegression(max_iter=500)
    template = pickle.loads(pickle.dumps(template_of(estimator, X, Y)))
    blob = pack_estimator(estimator.fit(X, Y), template).to_bytes()
    save_packed(PackedModel.from_bytes(blob), tmp_path)
    assert_same_bits(mlflow.pyfunc.load_model(str(tmp_path)).predict(X), estimator.predict(X))


class Locked(ClassifierMixin, BaseEstimator):
    """Cannot be pickled."""

    def fit(self, X: Any, y: Any) -> Locked:
        self.lock_ = threading.Lock()
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_what_cannot_be_kept_says_so(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(X)
    with pytest.raises(ModelNotSavableError, match="StandardScaler has no predict"):
        save_estimator(scaler, tmp_path / "scaler", template_of(scaler, X))
    locked = Locked().fit(X, Y)
    with pytest.raises(ModelNotSavableError, match="Locked cannot be kept as a model: cannot pickle") as raised:
        save_estimator(locked, tmp_path / "locked", template_of(locked, X, Y))
    assert isinstance(raised.value.__cause__, TypeError)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    linear = LinearRegression().fit(X, Y)
    with pytest.raises(ModelNotSavableError, match="has files in it"):
        save_estimator(linear, tmp_path / "full", template_of(linear, X, Y))


def test_a_forged_skops_file_is_refused(tmp_path: Path) -> None:
    import skops.io

    saved(LinearRegression().fit(X, Y), X, Y, tmp_path)
    skops.io.dump(FunctionTransformer(func=pickle.loads), tmp_path / "estimator.skops")
    with pytest.raises(TypeError, match=r"Untrusted types .*_pickle.loads"):
        mlflow.pyfunc.load_model(str(tmp_path))


class ForeignNetwork:
    """Stands in for a Keras model: it saves itself."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def save(self, path: str) -> None:
        Path(path).write_text(str(self.weight))


class ForeignEstimator(ClassifierMixin, BaseEstimator):
    """Stands in for a Keras wrapper: it hands over its parts."""

    def fit(self, X: Any, y: Any) -> ForeignEstimator:
        self.classes_ = np.unique(y)
        self.network_ = ForeignNetwork(2.0)
        return self

    def predict(self, X: Any) -> Any:
        return self.classes_[np.zeros(len(X), dtype=int)]

    def to_portable(self) -> PortableNetwork:
        return PortableNetwork(self.network_, "classifier", None, None, 32)


def test_networks_are_written_once_and_originals_left_alone(tmp_path: Path) -> None:
    member = ForeignEstimator()
    voting = VotingClassifier([("a", member), ("b", LogisticRegression(max_iter=500))]).fit(X, Y)
    fitted = voting.estimators_[0]
    estimator = make_pipeline(FunctionTransformer(), voting)
    save_estimator(estimator, tmp_path, template_of(estimator, X, Y))
    assert [path.name for path in (tmp_path / "networks").iterdir()] == ["0.keras"]
    assert (tmp_path / "estimator.skops").exists()
    assert estimator[-1].estimators_[0] is fitted
    assert isinstance(fitted, ForeignEstimator)
    flavor = mlflow.models.Model.load(str(tmp_path)).flavors["keras"]
    assert flavor["data"] == "networks/0"
    assert any(pin.startswith("keras==") for pin in (tmp_path / "requirements.txt").read_text().split())


class Contrary(ForeignEstimator):
    """Predicts in its own way, which `to_portable` knows nothing of."""

    def predict(self, X: Any) -> Any:
        return self.classes_[np.full(len(X), -1)]


def test_a_subclass_that_predicts_otherwise_is_kept_whole(tmp_path: Path) -> None:
    estimator = Contrary().fit(X, NAMES)
    model = saved(estimator, X, NAMES, tmp_path)
    assert not (tmp_path / "networks").exists()
    assert_same_bits(model.predict(X), estimator.predict(X))


USER_MODULE = """
import numpy as np
import user_helper
from sklearn.base import BaseEstimator, TransformerMixin

FACTOR = 3.0

class Times(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return user_helper.shift(np.asarray(X) * FACTOR)
"""


def test_user_classes_travel_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "user_module.py").write_text(USER_MODULE)
    (tmp_path / "user_helper.py").write_text("def shift(X):\n    return X + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import user_module  # type: ignore[import-not-found]

    estimator = make_pipeline(user_module.Times(), LogisticRegression(max_iter=2000)).fit(X, NAMES)
    template = template_of(estimator, X, NAMES)
    by_value = cloudpickle.list_registry_pickle_by_value()
    with caplog.at_level(logging.WARNING):
        save_estimator(estimator, tmp_path / "model", template)
        save_estimator(estimator, tmp_path / "again", template)
    assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1
    assert "user_module" in caplog.records[0].message
    assert "user_module" in mlflow.models.Model.load(str(tmp_path / "model")).metadata[names.PICKLE]
    # What one model needed is not left behind for other users of cloudpickle.
    assert cloudpickle.list_registry_pickle_by_value() == by_value

    for name in ("user_module.py", "user_helper.py"):
        (tmp_path / name).unlink()
    local = make_pipeline(FunctionTransformer(lambda X: X * 2), LogisticRegression(max_iter=2000)).fit(X, Y)
    save_estimator(local, tmp_path / "lambda", template_of(local, X, Y))
    frame = frame_pipeline().fit(FRAME, NAMES)
    save_estimator(frame, tmp_path / "frame", template_of(frame, FRAME, NAMES))
    questions = [
        (tmp_path / "model", X, "predict"),
        (tmp_path / "model", X, "predict_proba"),
        (tmp_path / "lambda", X, "predict_proba"),
        (tmp_path / "frame", FRAME, "predict_proba"),
    ]
    answers = predict_elsewhere(questions, tmp_path, blocked=("user_module", "user_helper"))
    assert_same_bits(answers[0], estimator.predict(X))
    assert_same_bits(answers[1], estimator.predict_proba(X))
    assert_same_bits(answers[2], local.predict_proba(X))
    assert_same_bits(answers[3], frame.predict_proba(FRAME))


def test_the_loader_stands_alone() -> None:
    from mlflow_hpo.tracking.models import _loader

    sources = [path.read_text() for path in Path(_loader.__file__).parent.glob("*.py")]
    imports = [
        line for source in sources for line in source.splitlines() if line.lstrip().startswith(("import", "from"))
    ]
    assert not any("mlflow_hpo" in line for line in imports)
    assert LOADER_MODULE.startswith("mlflow_hpo_model_")


def test_gradient_boosting_regression(tmp_path: Path) -> None:
    estimator = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(X, X[:, 0])
    assert_same_bits(saved(estimator, X, X[:, 0], tmp_path).predict(X), estimator.predict(X))
