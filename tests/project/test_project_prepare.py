from __future__ import annotations

import numpy as np
import pytest
from sklearn import model_selection as ms
from sklearn.base import is_classifier

from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project.launch import build_search
from mlflow_hpo.project.prepare import prepare
from mlflow_hpo.project.study_file import load_study_file

MODELS = """
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
def pipe(): return make_pipeline(StandardScaler(), LogisticRegression())
def mlp(): return MLPClassifier()
def two(): return make_pipeline(MLPClassifier(), MLPClassifier())
def ridge(): return Ridge()
def seeded(): return LogisticRegression(random_state=5)
def text(): return "no estimator"
def a_class(): return LogisticRegression
def broken(): raise RuntimeError("out of ideas")
def needs(C): return LogisticRegression(C=C)
def groups(): return np.zeros((12, 1)), np.arange(12) % 2, np.arange(12) % 4
def onehot(): return np.zeros((12, 1)), np.eye(3)[np.arange(12) % 3]
def rare(): return np.zeros((12, 1)), np.array(["common"] * 10 + ["rare"] * 2)
"""


def prepared(folder, **replaced):
    folder.write("m.py", MODELS)
    return prepare(load_study_file(folder.study(**replaced)))


def test_splitters(folder):
    expected = [
        ({}, ms.StratifiedKFold(3, shuffle=True, random_state=0)),
        ({"cv": "{folds: 4, shuffle: false}"}, ms.StratifiedKFold(4)),
        ({"cv": "{splitter: kfold}", "seed": "3"}, ms.KFold(3, shuffle=True, random_state=3)),
        ({"cv": "{splitter: time_series, folds: 2}"}, ms.TimeSeriesSplit(2)),
        ({"cv": "{holdout: 0.2}"}, ms.StratifiedShuffleSplit(1, test_size=0.2, random_state=0)),
        ({"cv": "{holdout: 0.2, splitter: kfold}"}, ms.ShuffleSplit(1, test_size=0.2, random_state=0)),
        ({"data": "{loader: 'm.py:groups'}"}, ms.GroupKFold(3, shuffle=True, random_state=0)),
        (
            {"data": "{loader: 'm.py:groups'}", "cv": "{holdout: 0.5}"},
            ms.GroupShuffleSplit(1, test_size=0.5, random_state=0),
        ),
        (
            {"data": "{loader: 'm.py:groups'}", "cv": "{splitter: stratified_group, folds: 2}"},
            ms.StratifiedGroupKFold(2, shuffle=True, random_state=0),
        ),
    ]
    for replaced, splitter in expected:
        assert repr(prepared(folder, **replaced).splitter) == repr(splitter)


def test_regressions_and_one_hot_targets_are_not_stratified(folder):
    regression = prepared(
        folder,
        task="regression",
        data="{sklearn: diabetes}",
        estimator="m.py:ridge",
        space="{alpha: {fixed: 1}, solver: {categories: [svd, lsqr]}}",
    )
    assert isinstance(regression.splitter, ms.KFold)
    onehot = prepared(folder, data="{loader: 'm.py:onehot'}", estimator="m.py:mlp", space="{alpha: {categories: [1]}}")
    assert isinstance(onehot.splitter, ms.KFold)


def test_a_holdout_without_shuffling_is_the_last_rows(folder):
    ((train, test),) = prepared(folder, cv="{holdout: 0.2, shuffle: false}").splitter
    assert test.tolist() == list(range(120, 150))
    assert len(train) == 120


def test_scoring(folder):
    assert prepared(folder).scoring.scoring == "accuracy"
    assert prepared(folder).scoring.refit is True
    several = prepared(folder, scoring="[accuracy, f1_macro]", decide_by="f1_macro").scoring
    assert (several.scoring, several.refit) == (["accuracy", "f1_macro"], "f1_macro")
    assert prepared(folder, scoring="[accuracy, f1_macro]").scoring.decide_by == "accuracy"


def test_fixed_values_fit_settings_and_seed_are_set(folder):
    space = "{alpha: {real: [0.1, 1], steps: 2}, hidden_layer_sizes: {fixed: [4, 4]}}"
    estimator = prepared(folder, estimator="m.py:mlp", space=space, fit="{batch_size: 20}", seed="7").estimator
    assert estimator.hidden_layer_sizes == [4, 4]
    assert estimator.batch_size == 20
    assert estimator.random_state == 7


def test_a_seed_of_the_users_own_stays_and_none_sets_none(folder):
    assert prepared(folder, estimator="m.py:seeded").estimator.random_state == 5
    assert prepared(folder, seed="null").estimator.random_state is None


def test_factories_of_installed_packages(folder):
    assert is_classifier(prepared(folder, estimator="sklearn.linear_model:LogisticRegression").estimator)


def test_number_of_trials_and_fits(folder):
    assert (prepared(folder).n_trials, prepared(folder).n_splits) == (3, 3)
    assert prepared(folder, strategy="random", trials="5").n_trials == 5
    assert prepared(folder, strategy="random", cv="{holdout: 0.2, shuffle: false}").n_splits == 1


def test_searches_of_the_three_strategies(folder):
    common = {"n_jobs": "2", "name": "irises", "register_as": "iris", "keep_best": "2", "tags": "{team: a}"}
    grid = build_search(prepared(folder, **common))
    assert type(grid).__name__ == "GridSearchCV"
    assert grid.param_grid == {"C": [0.1, 1, 10]}
    assert grid.n_jobs == 2
    assert (grid.tracking.study, grid.tracking.register_as, grid.tracking.keep_best) == ("irises", "iris", 2)
    assert grid.tracking.tags == {"team": "a"}
    random = build_search(prepared(folder, strategy="random", trials="4", seed="9"))
    assert (type(random).__name__, random.n_iter, random.random_state) == ("RandomizedSearchCV", 4, 9)
    bayes = build_search(prepared(folder, strategy="bayes", trials="7"))
    assert (type(bayes).__name__, bayes.n_calls, bayes.n_initial_points) == ("GPSearchCV", 7, 3)
    assert build_search(prepared(folder, strategy="bayes", trials="7", initial_points="5")).n_initial_points == 5


MISTAKES = [
    ({"scoring": "acuracy"}, r"scoring: scikit-learn has no scoring 'acuracy'. Did you mean 'accuracy'\?"),
    (
        {"scoring": "[accuracy, zzz]"},
        r"line 7: scoring.1: scikit-learn has no scoring 'zzz'. scikit-learn's user guide",
    ),
    (
        {"scoring": "f1"},
        "scoring: f1 cannot score this classification: ValueError: Target is multiclass",
    ),
    (
        {"task": "regression", "data": "{sklearn: diabetes}", "scoring": "accuracy", "estimator": "m.py:ridge"},
        "scoring: accuracy cannot score this regression",
    ),
    ({"cv": "{folds: 51}"}, "cv.folds: class '0' has 50 rows, too few for 51 folds"),
    ({"data": "{loader: 'm.py:rare'}"}, "cv: class 'rare' has 2 rows, too few for 3 folds|class 'rare' has 2 rows"),
    ({"cv": "{folds: 200, splitter: kfold}"}, "cv.folds: 200 folds need more than the 150 rows there are"),
    ({"cv": "{folds: 5}", "data": "{loader: 'm.py:groups'}"}, "cv.folds: there are 4 groups, too few for 5 folds"),
    ({"cv": "{splitter: group}", "data": "{loader: 'm.py:onehot'}"}, "group needs groups; let the loader return X, y"),
    ({"cv": "{holdout: 0.001}"}, "cv.holdout: this data cannot be split so"),
    ({"cv": "{holdout: 0.001, shuffle: false}"}, "cv.holdout: 0.001 of 150 rows leaves one side without rows"),
    ({"estimator": "none.py:f"}, r"line 6: estimator: .*none\.py does not exist"),
    ({"estimator": "m.py:pip"}, r"estimator: 'pip' is not there in m.py. Did you mean 'pipe'\?"),
    ({"estimator": "m.py:text"}, "estimator: returns a scikit-learn estimator; got str"),
    ({"estimator": "m.py:a_class"}, "estimator: returns a scikit-learn estimator; got ABCMeta|got type"),
    ({"estimator": "m.py:broken"}, r"estimator: broken failed: RuntimeError: out of ideas \(m.py, line 15\)"),
    ({"estimator": "m.py:needs"}, "estimator: is called without arguments, and needs C; give them defaults"),
    ({"estimator": "m.py:ridge"}, r"estimator: makes a regressor \(Ridge\), and the task is classification"),
    ({"space": "{c: {real: [0, 1], steps: 2}}"}, "space.c: LogisticRegression has no such parameter. "),
    ({"space": "{max_itr: {fixed: 5}, C: {real: [1, 2], steps: 2}}"}, "space.max_itr: .* Did you mean 'max_iter'"),
    ({"estimator": "m.py:pipe"}, r"space.C: Pipeline has no such parameter. Did you mean 'logisticregression__C'\?"),
    ({"fit": "{epochs: 3}"}, "fit.epochs: LogisticRegression has no such parameter; remove it, or take a Keras"),
    (
        {"estimator": "m.py:two", "fit": "{batch_size: 3}", "space": "{memory: {categories: [null]}}"},
        "fit.batch_size: Pipeline has several of them: mlpclassifier-1__batch_size, mlpclassifier-2__batch_size",
    ),
]


@pytest.mark.parametrize(("replaced", "message"), MISTAKES, ids=[message[:40] for _, message in MISTAKES])
def test_each_mistake_is_worded(folder, replaced, message):
    with pytest.raises(StudyFileError, match=message) as raised:
        prepared(folder, **replaced)
    assert "study.yaml, line " in str(raised.value)


NETWORKS = """
import keras
import numpy as np
def create(units, rate=0.1, inputs=4):
    model = keras.Sequential([keras.layers.Input((inputs,)), keras.layers.Dense(units)])
    model.add(keras.layers.Dense(3, "softmax"))
    model.compile("adam", loss="sparse_categorical_crossentropy")
    return model
def watch(): return keras.callbacks.TerminateOnNaN()
def no_callback(): return 3
def gaps(): return np.array([[1.0], [np.nan]] * 6), np.arange(12) % 2
def text(): return np.array([["a"], ["b"]] * 6), np.arange(12) % 2
"""
UNITS = "{units: {integer: [2, 9], steps: 2}}"


def network(folder, **replaced):
    folder.write("n.py", NETWORKS)
    folder.write("d.csv", "a,b,t,y\n" + "".join(f"{i},{i if i else ''},x,{i % 2}\n" for i in range(12)))
    return prepared(folder, **{"model": "n.py:create", "estimator": "", "space": UNITS, **replaced})


@pytest.mark.slow
def test_a_model_function_becomes_a_keras_estimator(folder):
    callbacks = "{early_stopping: {patience: 2, monitor: loss}, reduce_lr_on_plateau: {}, custom: 'n.py:watch'}"
    fit = f"{{epochs: 3, batch_size: 16, validation_split: 0.2, class_weight: balanced, callbacks: {callbacks}}}"
    estimator = network(folder, fit=fit, seed="4").estimator
    assert type(estimator).__name__ == "KerasClassifier"
    assert (estimator.epochs, estimator.batch_size, estimator.validation_split) == (3, 16, 0.2)
    assert (estimator.class_weight, estimator.random_state, estimator.verbose) == ("balanced", 4, 0)
    names = [type(callback).__name__ for callback in estimator.callbacks]
    assert names == ["EarlyStopping", "ReduceLROnPlateau", "TerminateOnNaN"]
    assert estimator.callbacks[0].patience == 2
    fitted = estimator.set_params(units=3, epochs=1).fit(np.zeros((20, 4)), np.arange(20) % 3)
    assert len(fitted.history_["loss"]) == 1


@pytest.mark.slow
def test_a_numeric_table_for_a_network_keeps_its_names(folder):
    space = f"{UNITS[:-1]}, inputs: {{fixed: 1}}}}"
    loaded = network(folder, data="{csv: d.csv, target: y, features: a}", cv="{folds: 2}", space=space).samples
    assert list(loaded.X.columns) == ["a"]
    assert loaded.X.dtypes.tolist() == [np.dtype(float)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"space": "{rate: {real: [0, 1], steps: 2}}"}, r"model: create needs units, .* such as units: \{fixed: 1\}"),
        ({"space": "{unit: {integer: [1, 2], steps: 2}}"}, "space.unit: .*Did you mean 'units'"),
        ({"data": "{csv: d.csv, target: y}"}, r"column 'b' has 1 missing values, the first in row 1; drop it"),
        ({"data": "{csv: d.csv, target: y, drop: b}"}, r"column 't' is not numeric, .* drop it \(drop: \[t\]\)"),
        ({"data": "{loader: 'n.py:gaps'}"}, "data: features are missing or infinite"),
        ({"data": "{loader: 'n.py:text'}"}, "data: a Keras model takes numbers; the features are of type <U1"),
        ({"fit": "{callbacks: {custom: 'n.py:no_callback'}}"}, "custom.0: n.py:no_callback returns a Keras callback"),
        ({"fit": "{callbacks: {custom: 'n.py:wtch'}}"}, "custom.0: 'wtch' is not there in n.py. Did you mean 'watch'"),
    ],
)
def test_each_mistake_around_a_network_is_worded(folder, replaced, message):
    with pytest.raises(StudyFileError, match=message):
        network(folder, **replaced)
