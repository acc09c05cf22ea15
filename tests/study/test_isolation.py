"""`Tracking(isolation="process")`: the library's results, whatever happens to the processes that trials run in."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fragile import Fragile
from joblib import parallel_config
from mlflow import MlflowClient
from sklearn import model_selection
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from study_helpers import TIMEOUT, check_keras_study, comparable, data, is_gone, wait_until

from mlflow_hpo import GridSearchCV, Tracking, gp_minimize
from mlflow_hpo.core.errors import HPOError, UnsupportedOptionError

ISOLATED = Tracking(isolation="process", log_models="none")


def test_a_grid_is_the_librarys(store: MlflowClient) -> None:
    X, y = data(3000)  # large enough to be mapped
    arguments: dict[str, Any] = {"scoring": ["accuracy", "roc_auc"], "refit": "roc_auc", "return_train_score": True}
    grid = {"C": [0.01, 1.0], "max_iter": [50, 100]}
    plain = model_selection.GridSearchCV(LogisticRegression(), grid, cv=3, **arguments).fit(X, y)
    tracking = Tracking(isolation="process")
    ours = GridSearchCV(LogisticRegression(), grid, cv=3, n_jobs=2, tracking=tracking, **arguments).fit(X, y)
    assert repr(comparable(ours.cv_results_)) == repr(comparable(plain.cv_results_))
    assert (ours.best_estimator_.coef_ == plain.best_estimator_.coef_).all()
    assert list(ours.study_.trials["status"]) == ["FINISHED"] * 4


def test_what_ends_a_worker_costs_its_trial_and_no_other(
    store: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    X, y = data()
    behaviours = ["fine", "hang", "segfault", "kill once", "raise", "fine"]
    tracking = Tracking(isolation="process", trial_seconds=2.0, log_models="none")
    estimator = Fragile(marker=str(tmp_path / "marker"))
    (tmp_path / "marker").mkdir()
    grid = [{"behaviour": [behaviour]} for behaviour in behaviours]
    grid[3]["marker"] = [str(tmp_path / "once")]
    scoring = {"scoring": ["accuracy", "f1"], "refit": "f1"}
    with (
        pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 12"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = GridSearchCV(estimator, grid, cv=2, n_jobs=2, tracking=tracking, **scoring).fit(X, y)
    failed = [behaviour not in ("fine", "kill once") for behaviour in behaviours]
    for name in ("split0_test_accuracy", "split1_test_f1", "mean_test_accuracy", "std_test_f1"):
        assert np.isnan(search.cv_results_[name]).tolist() == failed
    assert (search.cv_results_["mean_fit_time"][1]) > 0.5
    trials = search.study_.trials
    assert [status == "FAILED" for status in trials["status"]] == failed
    errors = [store.get_run(run_id).data.tags.get("mlflow_hpo.error", "") for run_id in trials["run_id"]]
    assert "have run for 2 s, the limit that Tracking(trial_seconds=...) sets" in errors[1]
    assert "killed by signal 11 (SIGSEGV: a segmentation fault in compiled code), twice" in errors[2]
    assert "no such luck" in errors[4]
    assert "in string_at" in caplog.text  # where the segmentation fault was


def test_with_error_score_raise_the_search_ends(store: MlflowClient, tmp_path: Path) -> None:
    tracking = Tracking(isolation="process", trial_seconds=0.2)
    search = GridSearchCV(Fragile(), {"behaviour": ["hang"]}, cv=2, error_score="raise", tracking=tracking)
    with pytest.raises(HPOError, match=r"given up: its folds have run for 0\.2 s"):
        search.fit(*data())


def test_an_exception_says_where_it_was_raised(store: MlflowClient) -> None:
    search = GridSearchCV(Fragile(), {"behaviour": ["raise"]}, cv=2, error_score="raise", tracking=ISOLATED)
    with pytest.raises(ValueError, match="no such luck") as error:
        search.fit(*data())
    assert "in happen" in error.value.__notes__[0]


def test_unpicklable_things_are_named_and_the_others_go_on(store: MlflowClient) -> None:
    search = GridSearchCV(Fragile(), {"held": [None, Shy()]}, cv=2, tracking=ISOLATED, error_score=-1.0)
    X, y = data()
    search.set_params(cv=iter(list(search_splits(X, y))))  # an iterator would not pickle: nobody needs it in a worker
    with pytest.warns(
        FitFailedWarning, match=r"(?s)2 fits failed out of a total of 4.*the candidate's 'held' cannot be"
    ):
        search.fit(X, y)
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, -1.0]


def test_unpicklable_things_end_no_search_in_joblibs_processes(store: MlflowClient) -> None:
    search = GridSearchCV(Fragile(), {"held": [None, Shy()]}, cv=2, n_jobs=2, error_score=-1.0)
    with pytest.warns(FitFailedWarning, match=r"(?s)2 fits failed out of a total of 4.*not outside of this process"):
        search.fit(*data())
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, -1.0]
    assert sorted(search.study_.trials["status"]) == ["FAILED", "FINISHED"]


def search_splits(X: Any, y: Any) -> Any:
    return model_selection.StratifiedKFold(2).split(X, y)


class Shy:
    def __reduce__(self) -> Any:
        raise TypeError("not outside of this process")

    def __deepcopy__(self, memo: Any) -> Shy:
        return self


def test_only_this_machines_backends_and_searches(store: MlflowClient) -> None:
    from joblib.parallel import ParallelBackendBase, register_parallel_backend

    class Elsewhere(ParallelBackendBase):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return 64

        def submit(self, func: Any, callback: Any = None) -> Any:
            raise AssertionError

    register_parallel_backend("elsewhere", Elsewhere)
    with (
        parallel_config("elsewhere"),
        pytest.raises(UnsupportedOptionError, match="the backend Elsewhere"),
    ):
        GridSearchCV(Fragile(), {}, tracking=ISOLATED).fit(*data())
    with pytest.raises(UnsupportedOptionError, match="GPSearchCV has isolation='process'"):
        gp_minimize(lambda x: x[0], [(0.0, 1.0)], tracking=ISOLATED)


MAIN = """
import sys
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from mlflow_hpo import GridSearchCV, Tracking

class Constant(ClassifierMixin, BaseEstimator):
    def __init__(self, value=0, behaviour="fine", marker=""):
        self.value, self.behaviour, self.marker = value, behaviour, marker

    def fit(self, X, y):
        from fragile import happen
        happen(self.behaviour, self.marker)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), helper(self.value))

def helper(value):
    return value

X, y = np.zeros((30, 2)), np.arange(30) % 3 == 0
isolated = Tracking(isolation="process")
search = GridSearchCV(Constant(*sys.argv[1:]), {"value": [0, 1]}, cv=3, refit=False, tracking=isolated)
print(search.fit(X, y).cv_results_["mean_test_score"].round(3).tolist(), search.study_.trials["status"].tolist())
"""


@pytest.fixture
def script(store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    path = tmp_path / "script.py"
    path.write_text(MAIN)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return [sys.executable, str(path)]


def test_what_is_defined_in_the_main_module_works(script: list[str]) -> None:
    told = subprocess.run(script, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    assert told.stdout == "[0.667, 0.333] ['FINISHED', 'FINISHED']\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_go_with_their_study(script: list[str], tmp_path: Path, number: int) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    with subprocess.Popen([*script, "0", "hang", str(pids)], stderr=subprocess.DEVNULL) as study:
        wait_until(lambda: list(pids.iterdir()))
        study.send_signal(number)
        assert study.wait(TIMEOUT) != 0
    wait_until(lambda: all(is_gone(path.name) for path in pids.iterdir()))


@pytest.mark.slow
def test_keras_models_train_in_workers(store: MlflowClient) -> None:
    check_keras_study(store, Tracking(isolation="process"))
