"""`GPSearchCV` with several workers: a candidate is proposed whenever one is free."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB
from skopt.space import Real

from mlflow_hpo import GPSearchCV, Tracking

# scikit-optimize silences them by `catch_warnings`, which another thread's can undo.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:The objective has been evaluated at point"
)

X, y = load_iris(return_X_y=True)
SPACE = {"var_smoothing": Real(1e-9, 10.0, prior="log-uniform")}
SETTINGS: dict[str, Any] = {"n_calls": 8, "n_initial_points": 4, "cv": 3, "random_state": 0}


class Noting(GaussianNB):
    """Notes when it begins and ends; some candidates take longer than others."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        begin = time.monotonic()
        time.sleep(0.1 if self.var_smoothing > 1e-4 else 0.2)
        super().fit(X, y, sample_weight)
        with open(os.environ["NOTES"], "a") as file:
            file.write(f"{self.var_smoothing!r} {begin} {time.monotonic()}\n")
        if float(os.environ.get("STOP_AT", "nan")) == self.var_smoothing:
            raise KeyboardInterrupt
        return self


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notes"
    path.touch()
    monkeypatch.setenv("NOTES", str(path))
    return path


def fits(notes: Path) -> list[tuple[float, float, float]]:
    return [(float(c), float(b), float(e)) for c, b, e in (line.split() for line in notes.read_text().splitlines())]


def n_overlaps(notes: Path) -> int:
    """Return how often two candidates trained at a time."""
    spans: dict[float, list[float]] = {}
    for c, begin, end in fits(notes)[:-1]:  # the last is the refit
        spans.setdefault(c, []).extend([begin, end])
    return sum(max(a[0], b[0]) < min(max(a), max(b)) for a in spans.values() for b in spans.values() if a is not b)


def estimator() -> Noting:
    return Noting()


def test_trials_overlap_and_are_all_there(store: MlflowClient, notes: Path) -> None:
    with parallel_config("threading"):
        search = GPSearchCV(estimator(), SPACE, n_jobs=2, **SETTINGS).fit(X, y)
    assert n_overlaps(notes) > 0
    params = [candidate["var_smoothing"] for candidate in search.cv_results_["params"]]
    assert len(set(params)) == 8
    trials = search.study_.trials
    assert trials["var_smoothing"].astype(float).tolist() == params
    assert trials["mean_test_score"].tolist() == search.cv_results_["mean_test_score"].tolist()
    result = search.optimize_result_
    assert sorted(x for [x] in result.x_iters) == sorted(params)
    assert -result.fun == search.best_score_
    assert result.models


def test_the_points_at_random_are_those_of_one_worker(store: MlflowClient, notes: Path) -> None:
    settings = {**SETTINGS, "n_calls": 4}
    one = GPSearchCV(estimator(), SPACE, **settings).fit(X, y)
    with parallel_config("threading"):
        two = GPSearchCV(estimator(), SPACE, n_jobs=2, **settings).fit(X, y)
    assert two.cv_results_["params"] == one.cv_results_["params"]
    assert two.cv_results_["mean_test_score"].tolist() == one.cv_results_["mean_test_score"].tolist()


@pytest.mark.parametrize("options", [{"isolation": "process"}, {"backend": "dask"}], ids=["processes", "dask"])
def test_worker_processes_of_ours_are_kept_busy_too(store: MlflowClient, notes: Path, options: dict[str, Any]) -> None:
    search = GPSearchCV(estimator(), SPACE, n_jobs=2, tracking=Tracking(**options), **SETTINGS).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.study_.trials) == 8
    assert n_overlaps(notes) > 0
    assert search.optimize_result_.models  # not all were named before anything was known


def test_what_an_interrupted_start_has_found_is_not_trained_again(
    store: MlflowClient, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = Tracking(study="workers")

    def search() -> GPSearchCV:
        with parallel_config("threading"):
            return GPSearchCV(estimator(), SPACE, n_jobs=2, refit=False, tracking=tracking, **SETTINGS).fit(X, y)

    third = (
        GPSearchCV(estimator(), SPACE, tracking=False, **SETTINGS).fit(X, y).cv_results_["params"][2]["var_smoothing"]
    )
    notes.write_text("")
    monkeypatch.setenv("STOP_AT", repr(third))
    with pytest.raises(KeyboardInterrupt):
        search()
    monkeypatch.delenv("STOP_AT")
    before = fits(notes)
    resumed = search()
    again = [c for c, *_ in fits(notes)[len(before) :]]
    done = {c for c, *_ in before if c != third} & {
        c["var_smoothing"]
        for c in resumed.cv_results_["params"]
        if [b for b, *_ in before].count(c["var_smoothing"]) == 3
    }
    assert done
    assert not done & set(again)
    assert len(resumed.study_.trials) == 8
    assert third in [candidate["var_smoothing"] for candidate in resumed.cv_results_["params"]]


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_it_can_be_stopped_early(store: MlflowClient, notes: Path) -> None:
    with parallel_config("threading"):
        tracking = Tracking(max_seconds=1e-6)
        search = GPSearchCV(estimator(), SPACE, n_jobs=2, tracking=tracking, **SETTINGS).fit(X, y)
    has_run = np.isfinite(search.cv_results_["mean_test_score"])
    assert 1 <= has_run.sum() < 8
    assert search.study_.stopped is not None
    assert len(search.study_.trials) == has_run.sum()
