"""Every search class of ours returns what the library's returns, and keeps every candidate as a run."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import sklearn.model_selection
import skopt
from mlflow import MlflowClient
from numpy.testing import assert_array_equal
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import mlflow_hpo
from mlflow_hpo import Tracking
from mlflow_hpo.search._gp_search import BaseGPSearchCV

pytestmark = pytest.mark.usefixtures("store")

NO_MODELS = Tracking(log_models="none")


@dataclass(frozen=True)
class Strategy:
    """A search class of ours, the library's, and arguments that make it search over a tree's or a regression's knob."""

    ours: Any
    theirs: Any
    space: Callable[[str], dict[str, Any]]

    def build(self, cls: Any, estimator: Any, param: str, **kwargs: Any) -> Any:
        return cls(estimator, **{**self.space(param), **kwargs})

    def __str__(self) -> str:
        return self.ours.__name__


STRATEGIES = [
    Strategy(
        mlflow_hpo.GridSearchCV,
        sklearn.model_selection.GridSearchCV,
        lambda param: {"param_grid": {param: [0.01, 0.1, 1.0]}},
    ),
    Strategy(
        mlflow_hpo.RandomizedSearchCV,
        sklearn.model_selection.RandomizedSearchCV,
        lambda param: {"param_distributions": {param: loguniform(1e-3, 1)}, "n_iter": 4, "random_state": 0},
    ),
    Strategy(
        mlflow_hpo.HalvingGridSearchCV,
        sklearn.model_selection.HalvingGridSearchCV,
        lambda param: {"param_grid": {param: [0.01, 0.1, 1.0]}, "factor": 2, "random_state": 0},
    ),
    Strategy(
        mlflow_hpo.HalvingRandomSearchCV,
        sklearn.model_selection.HalvingRandomSearchCV,
        lambda param: {"param_distributions": {param: loguniform(1e-3, 1)}, "factor": 2, "random_state": 0},
    ),
    Strategy(
        mlflow_hpo.BayesSearchCV,
        skopt.BayesSearchCV,
        lambda param: {
            "search_spaces": {param: skopt.space.Real(1e-3, 1, "log-uniform")},
            "n_iter": 3,
            "random_state": 0,
            "optimizer_kwargs": {"n_initial_points": 2},
        },
    ),
    Strategy(
        mlflow_hpo.GPSearchCV,
        BaseGPSearchCV,
        lambda param: {
            "dimensions": {param: skopt.space.Real(1e-3, 1, "log-uniform")},
            "n_calls": 3,
            "n_initial_points": 2,
            "random_state": 0,
        },
    ),
]
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=str)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(n_samples=90, n_features=6, n_informative=4, n_classes=3, random_state=0)


def assert_same_results(ours: Any, library: Any) -> None:
    """Assert that two fitted searches have found the same, times aside."""
    assert list(ours.cv_results_) == list(library.cv_results_)
    for name, expected in library.cv_results_.items():
        if "time" not in name:
            assert_array_equal(np.ma.getdata(ours.cv_results_[name]), np.ma.getdata(expected), err_msg=name)
    for attribute in ("best_params_", "best_score_", "best_index_", "n_splits_", "multimetric_"):
        assert getattr(ours, attribute, None) == getattr(library, attribute, None), attribute
    assert hasattr(ours, "best_estimator_") == hasattr(library, "best_estimator_")


def fit_both(strategy: Strategy, estimator: Any, param: str, X: Any, y: Any, fit: Any = None, **kwargs: Any) -> Any:
    """Fit the library's search and ours on the same, and return ours after the comparison."""
    tracking = kwargs.pop("tracking", NO_MODELS)
    library = strategy.build(strategy.theirs, estimator, param, **kwargs).fit(X, y, **(fit or {}))
    ours = strategy.build(strategy.ours, estimator, param, **kwargs, tracking=tracking).fit(X, y, **(fit or {}))
    assert_same_results(ours, library)
    if hasattr(ours, "best_estimator_"):
        assert_array_equal(ours.predict(X), library.predict(X))
    return ours


@every_strategy
def test_signature_is_the_librarys_and_tracking(strategy: Strategy) -> None:
    ours = inspect.signature(strategy.ours).parameters
    library = inspect.signature(strategy.theirs).parameters
    assert list(ours) == [*library, "tracking"]
    assert all(ours[name].default is library[name].default for name in library)


@every_strategy
@pytest.mark.parametrize("place", ["here", "loky", "processes", "dask"])
def test_same_results(strategy: Strategy, data: Any, place: str, request: pytest.FixtureRequest) -> None:
    # With several workers it proposes whenever one is free: see test_gp_workers.
    n_jobs = 1 if place == "here" or strategy.ours is mlflow_hpo.GPSearchCV else 2
    options = {"cv": 3, "n_jobs": n_jobs, "return_train_score": True, "tracking": tracked_in(place, request)}
    search = fit_both(strategy, LogisticRegression(), "C", *data, **options)
    trials = search.study_.trials
    assert len(trials) == len(search.cv_results_["params"])
    assert set(trials["status"]) == {"FINISHED"}
    for name in ("mean_test_score", "std_test_score", "split1_test_score", "mean_train_score", "mean_fit_time"):
        assert_array_equal(trials[name], search.cv_results_[name], err_msg=name)
    assert search.study_.best_trial.number == search.best_index_
    assert search.study_.best_trial.score == search.best_score_


def tracked_in(place: str, request: pytest.FixtureRequest) -> Tracking:
    """Return how a search is tracked whose folds run in this place."""
    if place == "processes":
        return replace(NO_MODELS, isolation="process")
    if place == "dask":
        return replace(NO_MODELS, backend="dask", scheduler=request.getfixturevalue("cluster").scheduler_address)
    return NO_MODELS


@pytest.mark.parametrize("place", ["processes", "dask"])
def test_several_points_at_a_time(data: Any, place: str, request: pytest.FixtureRequest) -> None:
    options = {"cv": 3, "n_jobs": 2, "n_points": 2, "n_iter": 4, "tracking": tracked_in(place, request)}
    fit_both(STRATEGIES[4], LogisticRegression(), "C", *data, **options)


@pytest.mark.parametrize("strategy", [STRATEGIES[index] for index in (0, 1, 4, 5)], ids=str)  # halving takes one
def test_several_scorings(strategy: Strategy, data: Any) -> None:
    search = fit_both(
        strategy, LogisticRegression(), "C", *data, cv=3, scoring=["accuracy", "f1_macro"], refit="f1_macro"
    )
    trials = search.study_.trials
    assert_array_equal(trials["mean_test_accuracy"], search.cv_results_["mean_test_accuracy"])
    assert_array_equal(trials["score"], search.cv_results_["mean_test_f1_macro"])


@every_strategy
def test_callable_scoring_and_no_refit(strategy: Strategy, data: Any) -> None:
    def scoring(estimator: Any, X: Any, y: Any) -> float:
        return float(estimator.score(X, y) / 2)

    search = fit_both(strategy, LogisticRegression(), "C", *data, cv=3, scoring=scoring, refit=False)
    assert search.study_.best_trial.score == search.best_score_


@every_strategy
def test_groups_and_sample_weights(strategy: Strategy, data: Any) -> None:
    X, y = data
    fit = {"groups": np.arange(len(y)) % 5, "sample_weight": np.linspace(0.1, 1, len(y))}
    fit_both(strategy, LogisticRegression(), "C", X, y, fit, cv=GroupKFold(3))


class FailsBelow(LogisticRegression):
    """Fails for small values of C."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if self.C < 0.05:
            raise RuntimeError(f"C={self.C} is too small")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("strategy", STRATEGIES[:2], ids=str)
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_failed_candidates_score_error_score(strategy: Strategy, data: Any, n_jobs: int, store: MlflowClient) -> None:
    search = fit_both(strategy, FailsBelow(), "C", *data, cv=3, error_score=-1.0, n_jobs=n_jobs)
    trials = search.study_.trials
    failed = trials[trials["status"] == "FAILED"]
    assert len(failed) == np.sum(search.cv_results_["mean_test_score"] == -1.0) > 0
    run = store.get_run(failed["run_id"].iloc[0])
    assert "is too small" in run.data.tags["mlflow_hpo.error"]
    assert "Traceback" in store_text(store, run.info.run_id, "traceback.txt")


def store_text(store: MlflowClient, run_id: str, path: str) -> str:
    """Return the text of an artifact."""
    with open(store.download_artifacts(run_id, path)) as file:
        return file.read()


# joblib starts new worker processes after a failure: one strategy shows it.
@pytest.mark.parametrize(
    ("strategy", "n_jobs"), [*((strategy, 1) for strategy in STRATEGIES), (STRATEGIES[0], 2)], ids=str
)
def test_error_score_raise_ends_the_study_failed(
    strategy: Strategy, data: Any, n_jobs: int, store: MlflowClient
) -> None:
    search = strategy.build(
        strategy.ours, FailsAlways(), "C", cv=3, error_score="raise", n_jobs=n_jobs, tracking=NO_MODELS
    )
    with pytest.raises(RuntimeError, match="never fits"):
        search.fit(*data)
    experiment = store.get_experiment_by_name("tests").experiment_id
    runs = store.search_runs([experiment])
    (study,) = [run for run in runs if run.data.tags["mlflow_hpo.kind"] == "study"]
    assert study.info.status == "FAILED"
    assert "it never fits" in study.data.tags["mlflow_hpo.error"]
    # Those of the other worker were still running.
    assert {run.info.status for run in runs} - {"KILLED"} == {"FAILED"}


class FailsAlways(LogisticRegression):
    """Never fits."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        raise RuntimeError("it never fits")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_gp_search_survives_failed_candidates(data: Any) -> None:
    dimensions = {"C": skopt.space.Real(1e-3, 1, "log-uniform")}
    search = mlflow_hpo.GPSearchCV(
        FailsBelow(), dimensions, n_calls=6, n_initial_points=5, random_state=0, cv=3, tracking=NO_MODELS
    ).fit(*data)
    assert list(search.study_.trials["status"]).count("FAILED") == np.isnan(search.cv_results_["mean_test_score"]).sum()
    assert 0 < np.isnan(search.cv_results_["mean_test_score"]).sum() < 6
    assert search.best_params_["C"] >= 0.05


@every_strategy
def test_pipelines(strategy: Strategy, data: Any) -> None:
    fit_both(strategy, make_pipeline(StandardScaler(), LogisticRegression()), "logisticregression__C", *data, cv=3)


def test_stacking_with_inner_parallelism(data: Any) -> None:
    stack = StackingClassifier(
        [("lr", LogisticRegression()), ("forest", RandomForestClassifier(5, n_jobs=2, random_state=0))], cv=2
    )
    fit_both(STRATEGIES[0], stack, "lr__C", *data, cv=2)


def test_repeated_candidates_are_trials_of_their_own(data: Any) -> None:
    search = mlflow_hpo.RandomizedSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, n_iter=2, random_state=0, tracking=NO_MODELS
    )
    search.param_distributions = [{"max_depth": [1]}, {"max_depth": [1]}]
    search.fit(*data)
    assert len(search.study_.trials) == len(search.cv_results_["params"]) == 2


def test_rungs_are_tagged(data: Any, store: MlflowClient) -> None:
    strategy = STRATEGIES[2]
    search = fit_both(strategy, LogisticRegression(), "C", *data, cv=3)
    tags = [store.get_run(run_id).data.tags for run_id in search.study_.trials["run_id"]]
    assert [int(tag["mlflow_hpo.iter"]) for tag in tags] == list(search.cv_results_["iter"])
    assert [int(tag["mlflow_hpo.n_resources"]) for tag in tags] == list(search.cv_results_["n_resources"])


def test_three_hundred_folds() -> None:
    search = mlflow_hpo.GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": range(1, 11)}, cv=30, tracking=NO_MODELS
    )
    search.fit(*make_classification(n_samples=300, n_features=6, n_informative=4, n_classes=3, random_state=0))
    assert search.n_splits_ * len(search.study_.trials) == 300


@every_strategy
def test_clone_and_pickle(strategy: Strategy, data: Any) -> None:
    search = strategy.build(strategy.ours, LogisticRegression(), "C", cv=3, tracking=NO_MODELS)
    assert clone(search).get_params()["tracking"] is not None
    search.fit(*data)
    again = pickle.loads(pickle.dumps(search))
    assert again.study_ == search.study_
    assert_array_equal(again.predict(data[0]), search.predict(data[0]))


def test_tracking_false_makes_no_run(data: Any, store: MlflowClient) -> None:
    search = mlflow_hpo.GridSearchCV(LogisticRegression(), {"C": [1.0]}, tracking=False).fit(*data)
    assert not hasattr(search, "study_")
    assert not store.search_runs([store.get_experiment_by_name("tests").experiment_id])


def test_a_wrong_tracking_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"tracking is a Tracking\(...\)"):
        mlflow_hpo.GridSearchCV(LogisticRegression(), {"C": [1.0]}, tracking="yes").fit(*data)


def test_bad_input_makes_no_run(data: Any, store: MlflowClient) -> None:
    with pytest.raises(ValueError, match="Parameter grid"):
        mlflow_hpo.GridSearchCV(LogisticRegression(), {"C": []}).fit(*data)
    with pytest.raises(ValueError, match="scoring"):
        mlflow_hpo.GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring="acuracy").fit(*data)
    assert not store.search_runs([store.get_experiment_by_name("tests").experiment_id])


class CountsBackends(BaseEstimator):
    """Notes which joblib backend an inner `Parallel` would get."""

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Any, y: Any) -> Any:
        from joblib.parallel import get_active_backend

        backend, n_jobs = get_active_backend()
        self.backend_ = (type(backend).__name__, n_jobs)
        SEEN.append(self.backend_)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))

    def score(self, X: Any, y: Any) -> float:
        return 0.0


SEEN: list[Any] = []


@pytest.mark.parametrize("backend", [None, "threading"])
def test_inner_parallelism_goes_where_it_would_have_gone(data: Any, backend: Any) -> None:
    from joblib import parallel_config

    def run(cls: Any, **kwargs: Any) -> list[Any]:
        SEEN.clear()
        search = cls(CountsBackends(), {"C": [1.0, 2.0]}, cv=2, **kwargs)
        if backend is None:
            search.fit(*data)
        else:
            with parallel_config(backend=backend, n_jobs=2):
                search.fit(*data)
        return list(SEEN)

    library = run(sklearn.model_selection.GridSearchCV)
    assert run(mlflow_hpo.GridSearchCV, tracking=NO_MODELS) == library
    assert len(library) == 5


def test_nested_cross_validation(data: Any, store: MlflowClient) -> None:
    def score(cls: Any, **kwargs: Any) -> Any:
        return cross_val_score(cls(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, **kwargs), *data, cv=3)

    assert_array_equal(score(mlflow_hpo.GridSearchCV, tracking=NO_MODELS), score(sklearn.model_selection.GridSearchCV))
    runs = store.search_runs([store.get_experiment_by_name("tests").experiment_id])
    assert sum(run.data.tags["mlflow_hpo.kind"] == "study" for run in runs) == 3


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_inner_search_nests_in_the_trial_around_it(data: Any, store: MlflowClient, n_jobs: int) -> None:
    inner = mlflow_hpo.GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2, tracking=NO_MODELS
    )
    outer = mlflow_hpo.GridSearchCV(
        inner, {"estimator__min_samples_leaf": [1, 5]}, cv=2, n_jobs=n_jobs, tracking=NO_MODELS
    ).fit(*data)
    trials = set(outer.study_.trials["run_id"])
    runs = store.search_runs([outer.study_.experiment_id])
    studies = [run for run in runs if run.data.tags["mlflow_hpo.kind"] == "study"]
    parents = [run.data.tags.get("mlflow.parentRunId") for run in studies]
    assert sum(parent in trials for parent in parents) == 4
    assert parents.count(outer.study_.run_id) == 1  # the refit's
    assert parents.count(None) == 1
