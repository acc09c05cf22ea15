"""Studies that end before all their candidates are run: time budget, patience."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from skopt.space import Real

from mlflow_hpo import (
    BayesSearchCV,
    GPSearchCV,
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    Tracking,
    gp_minimize,
)
from mlflow_hpo.tracking import names

X, y = load_iris(return_X_y=True)
# The second is the best; the four after it are no better.
GRID = {"C": [0.01, 1000.0, 0.001, 0.0001, 1e-5, 1e-6, 1e-7]}
NOT_FINITE = "ignore:One or more of the .* scores are non-finite"
C = {"C": Real(1e-4, 1e3, prior="log-uniform")}


def estimator() -> LogisticRegression:
    return LogisticRegression(max_iter=3000)


def trials_of(store: MlflowClient, search: Any) -> list[Any]:
    query = f"tags.`{names.PARENT_RUN_ID}` = '{search.study_.run_id}'"
    return list(store.search_runs([search.study_.experiment_id], query, max_results=1000))


@pytest.mark.filterwarnings(NOT_FINITE)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_candidates_after_lost_patience_are_nan_rows_without_a_run(store: MlflowClient, n_jobs: int) -> None:
    search = GridSearchCV(estimator(), GRID, cv=3, n_jobs=n_jobs, pre_dispatch="n_jobs", tracking=Tracking(patience=2))
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    n_run = int(np.isfinite(scores).sum())
    assert n_run == 4 if n_jobs == 1 else 4 <= n_run < 7
    assert np.isnan(scores[n_run:]).all()
    assert np.isnan(search.cv_results_["mean_fit_time"][n_run:]).all()
    assert search.best_params_ == {"C": 1000.0}
    assert len(trials_of(store, search)) == n_run
    assert search.study_.stopped == "2 trials in a row were no better (patience=2)"
    study = store.get_run(search.study_.run_id)
    assert study.info.status == "FINISHED"
    assert study.data.tags[names.STOPPED] == search.study_.stopped


@pytest.mark.filterwarnings(NOT_FINITE)
def test_scores_of_those_that_ran_are_scikit_learns(store: MlflowClient) -> None:
    scoring = ["accuracy", "f1_macro"]
    settings: dict[str, Any] = {"cv": 3, "scoring": scoring, "refit": "accuracy", "return_train_score": True}
    stopped = GridSearchCV(estimator(), GRID, tracking=Tracking(patience=2), **settings).fit(X, y)
    whole = GridSearchCV(estimator(), GRID, tracking=False, **settings).fit(X, y)
    for name, values in stopped.cv_results_.items():
        if ("test_" in name and "rank" not in name) or "train_" in name:
            assert np.array_equal(values[:4], whole.cv_results_[name][:4]), name
            assert np.isnan(values[4:]).all(), name


@pytest.mark.filterwarnings(NOT_FINITE)
def test_no_trial_begins_when_the_time_is_over(store: MlflowClient) -> None:
    search = RandomizedSearchCV(
        estimator(), GRID, n_iter=6, cv=3, random_state=0, tracking=Tracking(max_seconds=1e-6)
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).tolist() == [True] + 5 * [False]
    assert search.study_.stopped == "its time is over (max_seconds=1e-06)"


@pytest.mark.filterwarnings(NOT_FINITE)
def test_a_study_that_was_stopped_goes_on(store: MlflowClient) -> None:
    def search(max_seconds: float | None) -> GridSearchCV:
        tracking = Tracking(study="s", max_seconds=max_seconds)
        return GridSearchCV(estimator(), GRID, cv=3, tracking=tracking).fit(X, y)

    assert np.isfinite(search(1e-6).cv_results_["mean_test_score"]).sum() == 1
    again = search(1e-6)  # the first is there already, one more is trained
    assert np.isfinite(again.cv_results_["mean_test_score"]).sum() == 2
    whole = search(None)
    assert np.isfinite(whole.cv_results_["mean_test_score"]).all()
    assert whole.study_.stopped is None
    assert len(trials_of(store, whole)) == 7


@pytest.mark.filterwarnings(NOT_FINITE)
def test_halving_takes_the_best_of_the_last_rung_that_has_run(store: MlflowClient) -> None:
    search = HalvingGridSearchCV(estimator(), GRID, cv=3, random_state=0, tracking=Tracking(patience=3)).fit(X, y)
    results = search.cv_results_
    has_run = np.isfinite(results["mean_test_score"])
    assert not has_run[results["iter"] == results["iter"].max()].any()
    last = results["iter"] == results["iter"][has_run].max()
    assert search.best_score_ == np.nanmax(results["mean_test_score"][last])
    assert len(trials_of(store, search)) == has_run.sum()


def test_searches_that_propose_end_without_proposing_more(store: MlflowClient) -> None:
    gp = GPSearchCV(estimator(), C, n_calls=8, cv=3, random_state=0, tracking=Tracking(max_seconds=1e-6)).fit(X, y)
    assert len(gp.cv_results_["params"]) == len(gp.optimize_result_.x_iters) == 1
    assert gp.study_.stopped is not None
    spaces: Any = [(C, 3), (C, 3)]
    bayes = BayesSearchCV(estimator(), spaces, cv=3, random_state=0, tracking=Tracking(max_seconds=1e-6)).fit(X, y)
    assert len(bayes.cv_results_["params"]) == 1
    assert [len(result.x_iters) for result in bayes.optimizer_results_] == [1]
    result = gp_minimize(
        lambda x: x[0] ** 2, [(-1.0, 1.0)], n_calls=8, n_initial_points=4, tracking=Tracking(max_seconds=1e-6)
    )
    assert len(result.x_iters) == 1
    assert result.study.stopped is not None
    assert result.specs["args"]["callback"] is None


def test_a_study_whose_last_trial_comes_late_was_not_stopped(store: MlflowClient) -> None:
    tracking = Tracking(patience=3)
    result = gp_minimize(lambda x: 1.0, [(-1.0, 1.0)], n_calls=4, n_initial_points=4, tracking=tracking)
    assert result.study.stopped is None
    search = GridSearchCV(estimator(), {"C": [10.0, 10.0]}, cv=3, tracking=Tracking(patience=1)).fit(X, y)
    assert search.study_.stopped is None


class Broken(LogisticRegression):
    """Fails in one of two ways."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        raise KeyError("often") if self.C < 1 else ValueError("seldom")


def test_if_all_trials_fail_the_commonest_cause_is_told(store: MlflowClient) -> None:
    with pytest.raises(ValueError, match="All the 9 fits failed") as caught:
        GridSearchCV(Broken(), {"C": [10.0, 0.1, 0.2]}, cv=3).fit(X, y)
    assert caught.value.__notes__ == ["All 3 trials failed, 2 of them by: KeyError: 'often'"]
    study = store.search_runs(["1"], f"tags.`{names.KIND}` = 'study'")[0]
    assert study.data.tags[names.ERROR] == caught.value.__notes__[0]


@pytest.mark.filterwarnings(NOT_FINITE)
def test_a_search_that_survives_failures_warns_of_the_commonest(
    store: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    search = GPSearchCV(Broken(), C, n_calls=2, cv=3, random_state=0, refit=False)
    with caplog.at_level(logging.WARNING, "mlflow_hpo"):
        search.fit(X, y)
    assert "All 2 trials failed" in caplog.text


@pytest.mark.slow
@pytest.mark.filterwarnings(NOT_FINITE)
def test_a_worker_is_given_no_more_trials_than_it_has_begun(store: MlflowClient) -> None:
    one_fold = [(np.arange(0, 100), np.arange(100, 150))]
    search = GridSearchCV(
        estimator(), GRID, cv=one_fold, tracking=Tracking(isolation="process", max_seconds=1e-6), refit=False
    ).fit(X, y)
    # joblib had queued several folds by then; whether they run is decided when the worker is free.
    assert np.isfinite(search.cv_results_["mean_test_score"]).tolist() == [True] + 6 * [False]
    assert len(trials_of(store, search)) == 1
