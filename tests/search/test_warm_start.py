"""A study that starts from what another one has found."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import skopt
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from skopt.space import Categorical, Integer, Real

from mlflow_hpo import BayesSearchCV, GPSearchCV, GridSearchCV, RandomizedSearchCV, Tracking, gp_minimize
from mlflow_hpo.core.errors import InvalidArgumentError, NotFoundError
from mlflow_hpo.tracking import names

X, y = load_iris(return_X_y=True)
C = Real(1e-3, 10.0, prior="log-uniform")


class Counting(LogisticRegression):
    """Counts its fits in a file."""

    def __init__(self, log: str | None = None, C: float = 1.0) -> None:
        super().__init__(C=C, max_iter=2000)
        self.log = log

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write("x")
        return super().fit(X, y, sample_weight)


@pytest.fixture
def estimator(tmp_path: Path) -> Counting:
    return Counting(str(tmp_path / "fits"))


def n_fits(estimator: Counting) -> int:
    path = Path(str(estimator.log))
    count = len(path.read_text()) if path.exists() else 0
    path.write_text("")
    return count


def test_what_the_other_study_has_trained_is_not_trained_again(store: MlflowClient, estimator: Counting) -> None:
    first = GridSearchCV(estimator, {"C": [0.1, 1.0]}, cv=3, tracking=Tracking(study="first")).fit(X, y)
    n_fits(estimator)
    tracking = Tracking(study="second", warm_start_from="first")
    wider = {"C": [0.01, 0.1, 1.0, 10.0]}
    second = GridSearchCV(estimator, wider, cv=3, tracking=tracking).fit(X, y)
    assert n_fits(estimator) == 2 * 3 + 1
    plain = GridSearchCV(estimator, wider, cv=3, tracking=False).fit(X, y)
    assert second.cv_results_["mean_test_score"].tolist() == plain.cv_results_["mean_test_score"].tolist()
    assert second.best_params_ == plain.best_params_
    # Both studies have all of their trials, and say where they come from.
    assert len(first.study_.trials) == 2
    trials = second.study_.trials
    assert set(trials["status"]) == {"FINISHED"}
    assert trials["mean_test_score"].tolist() == plain.cv_results_["mean_test_score"].tolist()
    origins = [store.get_run(run_id).data.tags.get(names.REUSED) for run_id in trials["run_id"]]
    assert origins == [None, *first.study_.trials["run_id"], None]


def test_a_study_without_a_name_can_start_from_another(store: MlflowClient, estimator: Counting) -> None:
    GridSearchCV(estimator, {"C": [0.1, 1.0]}, cv=3, tracking=Tracking(study="first")).fit(X, y)
    n_fits(estimator)
    tracking = Tracking(warm_start_from="first")
    for _ in range(2):
        RandomizedSearchCV(estimator, {"C": [0.1, 1.0]}, n_iter=2, cv=3, refit=False, tracking=tracking).fit(X, y)
        assert n_fits(estimator) == 0


def test_other_data_are_trained(store: MlflowClient, estimator: Counting) -> None:
    GridSearchCV(estimator, {"C": [0.1]}, cv=3, tracking=Tracking(study="first")).fit(X, y)
    n_fits(estimator)
    GridSearchCV(estimator, {"C": [0.1]}, cv=3, refit=False, tracking=Tracking(warm_start_from="first")).fit(X + 1, y)
    assert n_fits(estimator) == 3


SPACE = [Real(-5.0, 10.0, name="a"), Integer(0, 15, name="b"), Categorical(["x", "y"], name="c")]


def objective(point: list[Any]) -> float:
    a, b, c = point
    return float((a - 1) ** 2 + b + (c == "y"))


def test_gp_minimize_begins_with_the_points_of_the_other(store: MlflowClient) -> None:
    options: dict[str, Any] = {"n_initial_points": 4, "random_state": 0}
    first = gp_minimize(objective, SPACE, n_calls=6, tracking=Tracking(study="first"), **options)
    second = gp_minimize(objective, SPACE, n_calls=3, tracking=Tracking(warm_start_from="first"), **options)
    expected = skopt.gp_minimize(
        objective, SPACE, n_calls=3, n_initial_points=0, random_state=0, x0=first.x_iters, y0=list(first.func_vals)
    )
    assert second.x_iters == expected.x_iters
    assert second.func_vals.tolist() == expected.func_vals.tolist()
    assert len(second.study.trials) == 3


@pytest.mark.parametrize("by", ["name", "run id"])
def test_a_gp_search_begins_with_the_trials_of_any_search(store: MlflowClient, estimator: Counting, by: str) -> None:
    tracking = Tracking(study="random")
    random = RandomizedSearchCV(estimator, {"C": [0.01, 0.1, 100.0]}, n_iter=3, cv=3, tracking=tracking).fit(X, y)
    origin = "random" if by == "name" else random.study_.run_id
    search = GPSearchCV(
        estimator, {"C": C}, n_calls=2, cv=3, random_state=0, tracking=Tracking(warm_start_from=origin)
    ).fit(X, y)
    known = [[0.01], [0.1]]  # 100 lies outside
    assert sorted(search.optimize_result_.x_iters[:2]) == known
    assert len(search.cv_results_["params"]) == 2
    costs = dict(zip([x for [x] in search.optimize_result_.x_iters], search.optimize_result_.func_vals, strict=True))
    scores = dict(zip(random.cv_results_["param_C"], random.cv_results_["mean_test_score"], strict=True))
    assert costs[0.1] == -scores[0.1]


def test_bayes_search_is_told_of_the_others(store: MlflowClient, estimator: Counting) -> None:
    GridSearchCV(estimator, {"C": [0.01, 0.1, 1.0]}, cv=3, tracking=Tracking(study="grid")).fit(X, y)
    search = BayesSearchCV(
        estimator, {"C": C}, n_iter=2, cv=3, random_state=0, tracking=Tracking(warm_start_from="grid")
    ).fit(X, y)
    assert [x for [x] in search.optimizer_results_[0].x_iters[:3]] == [0.01, 0.1, 1.0]
    assert len(search.cv_results_["params"]) == 2


def test_nothing_that_helps_is_said(store: MlflowClient, caplog: pytest.LogCaptureFixture) -> None:
    gp_minimize(objective, SPACE, n_calls=2, n_initial_points=2, tracking=Tracking(study="first"))
    with caplog.at_level(logging.WARNING, "mlflow_hpo"):
        gp_minimize(
            lambda x: x[0], [(0.0, 1.0)], n_calls=2, n_initial_points=2, tracking=Tracking(warm_start_from="first")
        )
    assert "No trial of study 'first' has these parameters, in this space, and objective." in caplog.text


def test_mistakes_are_told_before_anything_runs(store: MlflowClient) -> None:
    gp_minimize(objective, SPACE, n_calls=2, n_initial_points=2, tracking=Tracking(study="first"))

    def search(origin: str = "first", **options: Any) -> Any:
        return gp_minimize(objective, SPACE, n_calls=2, tracking=Tracking(warm_start_from=origin), **options)

    with pytest.raises(NotFoundError, match=r"No study 'frist' in this experiment.*Did you mean 'first'"):
        search("frist")
    with pytest.raises(InvalidArgumentError, match="give one of them"):
        search(x0=[[0.0, 1, "x"]])
    with pytest.raises(InvalidArgumentError, match="another study's trials do not tell"):
        search(acq_func="EIps")
    with pytest.raises(NotFoundError, match="No study 'frist'"):
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, tracking=Tracking(warm_start_from="frist")).fit(X, y)
    experiment = store.get_experiment_by_name("tests").experiment_id
    assert len(store.search_runs([experiment], f"tags.`{names.KIND}` = 'study'")) == 1
