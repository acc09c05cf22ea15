"""A study whose process is killed goes on when it is started again, and ends as if nothing had happened."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from study_helpers import comparable

from mlflow_hpo import (
    BayesSearchCV,
    GPSearchCV,
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    Tracking,
    gp_minimize,
)
from mlflow_hpo.core.errors import StudyIsRunningError
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.store import alone_with_study

X, y = load_iris(return_X_y=True)


class Fits:
    """The fits of a test, kept in a file: what a digest sees of an estimator is not to change with their number."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "fits"
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("FITS_FILE", str(self._file))
        self.restart()

    def restart(self, stop: int = 0) -> None:
        """Forget the fits before, and interrupt the one with a number."""
        self._file.write_text("")
        self._monkeypatch.setenv("FITS_STOP", str(stop))

    def go_on(self) -> None:
        """Interrupt no more."""
        self._monkeypatch.setenv("FITS_STOP", "0")

    def __len__(self) -> int:
        return len(self._file.read_text())


def count_fit() -> None:
    """Count a fit, and interrupt it if it is the one."""
    path = Path(os.environ["FITS_FILE"])
    fits = path.read_text() + "x"
    path.write_text(fits)
    if len(fits) == int(os.environ["FITS_STOP"]):
        raise KeyboardInterrupt


def counting(**params: Any) -> Counting:
    return Counting(max_iter=2000, **params)


@pytest.fixture
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fits:
    return Fits(tmp_path, monkeypatch)


class Counting(LogisticRegression):
    """Counts its fits."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        count_fit()
        return super().fit(X, y, sample_weight)


SEARCHES: dict[str, Any] = {
    "grid": lambda **kw: GridSearchCV(counting(), {"C": [0.1, 1.0, 10.0]}, cv=3, **kw),
    "random": lambda **kw: RandomizedSearchCV(
        counting(), [{"C": [0.1, 1.0]}, {"C": [0.1, 10.0]}], n_iter=4, cv=3, random_state=3, **kw
    ),
    "halving": lambda **kw: HalvingGridSearchCV(counting(), {"C": [0.01, 0.1, 1.0, 10.0]}, cv=3, random_state=0, **kw),
    "gp": lambda **kw: GPSearchCV(
        counting(),
        {"C": loguniform_of(0.01, 10)},
        n_calls=5,
        n_initial_points=3,
        cv=3,
        random_state=0,
        **kw,
    ),
    "bayes": lambda **kw: BayesSearchCV(
        counting(), {"C": loguniform_of(0.01, 10)}, n_iter=4, cv=3, random_state=0, **kw
    ),
}


def loguniform_of(low: float, high: float) -> Any:
    from skopt.space import Real

    return Real(low, high, prior="log-uniform")


def runs_of(store: MlflowClient, kind: str, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    experiment = store.get_experiment_by_name("tests").experiment_id
    return list(store.search_runs([experiment], f"tags.`{names.KIND}` = '{kind}'", view, 1000))


def without_masks(results: dict[str, Any]) -> dict[str, Any]:
    return {key: [None if v is np.ma.masked else v for v in values] for key, values in comparable(results).items()}


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("stop", [1, 5, 8])
def test_an_interrupted_search_ends_as_if_nothing_had_happened(
    store: MlflowClient, fits: Fits, kind: str, stop: int
) -> None:
    make = SEARCHES[kind]
    plain = make(tracking=False).fit(X, y)
    n_fits = len(fits)

    tracking = Tracking(study="interrupted", register_as="best")
    fits.restart(stop)
    with pytest.raises(KeyboardInterrupt):
        make(tracking=tracking).fit(X, y)
    fits.go_on()
    resumed = make(tracking=tracking).fit(X, y)

    assert without_masks(resumed.cv_results_) == without_masks(plain.cv_results_)
    assert resumed.best_index_ == plain.best_index_
    # The fold that was interrupted runs twice, no other does.
    assert len(fits) == n_fits + 1
    [study] = runs_of(store, "study")
    assert study.info.run_id == resumed.study_.run_id
    assert names.ERROR not in study.data.tags  # it had been interrupted, and has ended well
    trials = resumed.study_.trials
    assert len(trials) == len(runs_of(store, "trial", ViewType.ALL)) == len(plain.cv_results_["params"])
    assert set(trials["status"]) == {"FINISHED"}
    assert len(store.search_model_versions("name = 'best'")) == 1


def test_a_finished_search_is_replayed_and_registered_once(store: MlflowClient, fits: Fits) -> None:
    tracking = Tracking(study="again", register_as="best")
    first = SEARCHES["random"](tracking=tracking).fit(X, y)
    runs = list(first.study_.trials["run_id"])
    fits.restart()
    second = SEARCHES["random"](tracking=tracking).fit(X, y)
    assert len(fits) == 1  # the refit
    assert second.study_.registered == first.study_.registered
    assert list(second.study_.trials["run_id"]) == runs
    assert [run.info.run_id for run in runs_of(store, "study")] == [second.study_.run_id]
    assert store.get_run(first.study_.run_id).info.lifecycle_stage == "deleted"


def test_a_start_that_dies_before_it_has_the_trials_of_the_one_before_loses_none(
    store: MlflowClient, fits: Fits
) -> None:
    tracking = Tracking(study="again")
    first = SEARCHES["grid"](tracking=tracking).fit(X, y)
    study = store.get_run(first.study_.run_id)
    for _ in range(2):  # they die with their run just made
        tags = {name: study.data.tags[name] for name in (names.KIND, names.STUDY, names.PARTS)}
        died = store.create_run(study.info.experiment_id, tags=tags, run_name="again")
        store.set_terminated(died.info.run_id, "KILLED")
    fits.restart()
    second = SEARCHES["grid"](tracking=tracking).fit(X, y)
    assert len(fits) == 1  # the refit
    assert len(second.study_.trials) == len(runs_of(store, "trial")) == 3
    assert [run.info.run_id for run in runs_of(store, "study")] == [second.study_.run_id]


def test_what_is_not_the_same_is_trained(store: MlflowClient, fits: Fits, caplog: pytest.LogCaptureFixture) -> None:
    tracking = Tracking(study="changing")
    GridSearchCV(counting(), {"C": [1.0]}, cv=3, tracking=tracking).fit(X, y)

    def n_fits(**changed: Any) -> int:
        fits.restart()
        arguments = {
            "estimator": counting(),
            "param_grid": {"C": [1.0]},
            "cv": 3,
            "refit": False,
            **changed,
        }
        data = arguments.pop("data", X)
        GridSearchCV(**arguments, tracking=tracking).fit(data, y)
        return len(fits)

    assert n_fits() == 0
    with caplog.at_level(logging.WARNING):
        assert n_fits(data=X * 2) == 3
    assert "because this has changed: the data" in caplog.text
    assert n_fits(data=X * 2) == 0
    assert n_fits(estimator=counting(tol=1e-3)) == 3
    assert n_fits(scoring="f1_macro") == 3
    assert n_fits(cv=4) == 4
    assert n_fits(param_grid={"C": [2.0]}) == 3


def test_without_a_name_or_with_resume_off_nothing_is_replayed(store: MlflowClient, fits: Fits) -> None:
    for tracking in (Tracking(), Tracking(study="afresh", resume=False)):
        for _ in range(2):
            fits.restart()
            GridSearchCV(counting(), {"C": [1.0]}, cv=3, refit=False, tracking=tracking).fit(X, y)
            assert len(fits) == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_a_failed_trial_is_replayed_as_it_failed(store: MlflowClient) -> None:
    def search() -> Any:
        grid = {"max_depth": [-1, 2]}
        return GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=2, tracking=Tracking(study="failing"))

    first = search().fit(X, y)
    runs = list(first.study_.trials["run_id"])
    second = search().fit(X, y)
    assert without_masks(first.cv_results_)["rank_test_score"] == without_masks(second.cv_results_)["rank_test_score"]
    assert list(second.study_.trials["status"]) == ["FAILED", "FINISHED"]
    assert list(second.study_.trials["run_id"]) == runs


def test_gp_minimize_goes_on_with_the_same_points(store: MlflowClient, fits: Fits) -> None:
    def objective(point: list[float]) -> float:
        count_fit()
        return (point[0] - 0.3) ** 2

    def search(tracking: Any) -> Any:
        return gp_minimize(objective, [(-1.0, 1.0)], n_calls=7, n_initial_points=4, random_state=1, tracking=tracking)

    plain = search(False)
    fits.restart(stop=6)
    with pytest.raises(KeyboardInterrupt):
        search(Tracking(study="points"))
    fits.go_on()
    resumed = search(Tracking(study="points"))
    assert resumed.x_iters == plain.x_iters
    assert resumed.func_vals.tolist() == plain.func_vals.tolist()
    assert len(fits) == 7 + 1
    assert len(resumed.study.trials) == 7


def test_a_study_runs_once_at_a_time(store: MlflowClient, fits: Fits) -> None:
    experiment = store.get_experiment_by_name("tests").experiment_id
    with (
        alone_with_study(mlflow.get_tracking_uri(), experiment, "busy"),
        pytest.raises(StudyIsRunningError, match="'busy' is running already"),
    ):
        GridSearchCV(counting(), {"C": [1.0]}, tracking=Tracking(study="busy")).fit(X, y)


def test_what_cannot_be_digested_is_said(store: MlflowClient, caplog: pytest.LogCaptureFixture) -> None:
    class Locked(LogisticRegression):
        def __init__(self, lock: Any = None) -> None:
            super().__init__(max_iter=2000)
            self.lock = lock

        def __sklearn_clone__(self) -> Any:
            return self

    search = GridSearchCV(Locked(threading.Lock()), {"lock": [None]}, cv=2, tracking=Tracking(study="locked"))
    with caplog.at_level(logging.WARNING):
        search.fit(X, y)
    assert "cannot be resumed" in caplog.text


KILLED = """
import os, sys, time
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from mlflow_hpo import GridSearchCV, Tracking

class Dying(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        with open("fits", "a") as file:
            file.write("x")
        if os.path.getsize("fits") == int(sys.argv[1]):
            time.sleep(float(sys.argv[2]))
            os.kill(os.getpid(), 9)
        return super().fit(X, y, sample_weight)

search = GridSearchCV(Dying(max_iter=2000), {"C": [0.1, 1.0, 10.0]}, cv=3, tracking=Tracking(study="killed"))
search.fit(*load_iris(return_X_y=True))
print(list(search.cv_results_["mean_test_score"]), search.study_.run_id)
"""


@pytest.mark.slow
def test_a_killed_process_loses_nothing(store: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    environment = {**os.environ, "MLFLOW_EXPERIMENT_NAME": "tests"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "killed.py", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)

    # With nothing delivered yet, with most of it delivered, and while the first is just being delivered.
    for moment, pause in (("2", "0"), ("6", "3"), ("9", "0.3")):
        assert run(moment, pause).returncode == -signal.SIGKILL
    last = run("0", "0")
    assert last.returncode == 0, last.stderr
    plain = GridSearchCV(LogisticRegression(max_iter=2000), {"C": [0.1, 1.0, 10.0]}, cv=3, tracking=False).fit(X, y)
    assert str(list(plain.cv_results_["mean_test_score"])) in last.stdout
    [study] = runs_of(store, "study", ViewType.ALL)
    assert study.info.status == "FINISHED"
    assert [run.info.status for run in runs_of(store, "trial", ViewType.ALL)] == ["FINISHED"] * 3
    assert len((tmp_path / "fits").read_text()) == 9 + 3 + 1  # three folds died, and the best was refitted
