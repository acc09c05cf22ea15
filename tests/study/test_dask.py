"""A Dask cluster as the backend of a study: the library's results, whatever comes and goes on the cluster."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fragile import Fragile, happen, hear, task
from joblib import parallel_config
from mlflow import MlflowClient
from sklearn import model_selection
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.tree import DecisionTreeClassifier
from study_helpers import TIMEOUT, check_keras_study, comparable, data, is_gone, wait_until

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.errors import HPOError, MissingPackageError
from mlflow_hpo.core.reporting import current_reporter
from mlflow_hpo.study.executors.cluster.pool import DaskPool

distributed = pytest.importorskip("distributed")

HERE = str(Path(__file__).parent)


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client
        # Whatever a test has done: nothing of its study is left on the cluster.
        wait_until(lambda: not any([*client.processing().values(), *client.has_what().values()]))


def tracking(cluster: Any, **options: Any) -> Tracking:
    return Tracking(backend="dask", scheduler=cluster.scheduler_address, **{"log_models": "none", **options})


def test_a_grid_is_the_librarys(store: MlflowClient, client: Any, cluster: Any) -> None:
    X, y = data(3000)  # large enough to be scattered, and mapped
    grid = {"max_depth": [1, 2, 3], "criterion": ["gini", "entropy"]}
    tree, options = DecisionTreeClassifier(random_state=0), {"cv": 3, "return_train_score": True}
    plain = model_selection.GridSearchCV(tree, grid, **options).fit(X, y)
    tracked = GridSearchCV(tree, grid, **options, tracking=tracking(cluster, log_models="best_fold")).fit(X, y)
    assert repr(comparable(tracked.cv_results_)) == repr(comparable(plain.cv_results_))
    assert list(tracked.study_.trials["status"]) == ["FINISHED"] * 6


class Reporting(Fragile):
    """Has an epoch, and waits until somebody has seen it."""

    def fit(self, X: Any, y: Any) -> Reporting:
        reporter = current_reporter()
        assert reporter is not None
        reporter.end_epoch(reporter.begin_fit(None), 0, {"loss": 0.5})
        wait_until(lambda: Path(self.marker).exists())
        return super().fit(X, y)


def test_epochs_of_all_workers_are_live(store: MlflowClient, client: Any, cluster: Any, tmp_path: Path) -> None:
    marker = tmp_path / "seen"
    seen: list[set[str]] = []

    def watch() -> None:
        while not (seen and len(seen[-1]) == 2):  # an epoch of each fold, while none of them has ended
            runs = store.search_runs([store.get_experiment_by_name("tests").experiment_id])
            seen.append({key for run in runs for key in run.data.metrics if key.endswith("/loss")})
            time.sleep(0.05)
        marker.touch()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    GridSearchCV(Reporting(marker=str(marker)), {"held": [1]}, cv=2, tracking=tracking(cluster)).fit(*data())
    watcher.join(TIMEOUT)
    assert seen[-1] == {"split0/loss", "split1/loss"}


class Doomed(Fragile):
    """Takes its Dask worker with it, once, when the study has heard that it runs there."""

    def fit(self, X: Any, y: Any) -> Doomed:
        told = Path(self.marker)
        if not told.exists():
            reporter = current_reporter()
            assert reporter is not None
            reporter.end_epoch(reporter.begin_fit(None), 0, {"loss": 0.5})
            wait_until(told.exists)
            happen("kill parent")
        return super().fit(X, y)


def test_the_death_of_a_dask_worker_is_told(
    store: MlflowClient, client: Any, cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = tmp_path / "told"

    def watch() -> None:
        experiments = [store.get_experiment_by_name("tests").experiment_id]
        wait_until(lambda: any("split0/loss" in run.data.metrics for run in store.search_runs(experiments)))
        told.touch()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    one_fold = [(np.arange(40), np.arange(40, 60))]
    search = GridSearchCV(Doomed(marker=str(told)), {"held": [1]}, cv=one_fold, tracking=tracking(cluster))
    search.fit(*data())
    watcher.join(TIMEOUT)
    assert "Trial 0, fold 0: its Dask worker tcp://" in caplog.text
    assert "is gone" in caplog.text
    assert list(search.study_.trials["status"]) == ["FINISHED"]
    wait_until(lambda: len(client.nthreads()) == 2)


def test_deaths_cost_their_folds_and_no_others(store: MlflowClient, client: Any, cluster: Any, tmp_path: Path) -> None:
    grid = [
        {"behaviour": ["fine"]},
        {"behaviour": ["kill once"], "marker": [str(tmp_path / "once")]},
        {"behaviour": ["kill parent once"], "marker": [str(tmp_path / "once, a Dask worker")]},
        {"behaviour": ["kill"]},
        {"behaviour": ["hang"]},
        {"behaviour": ["fine"]},
    ]
    search = GridSearchCV(Fragile(), grid, cv=2, tracking=tracking(cluster, trial_seconds=2.0))
    with (
        pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 12"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(*data())
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, False, False, True, True, False]
    trials = search.study_.trials
    errors = [store.get_run(run_id).data.tags.get("mlflow_hpo.error", "") for run_id in trials["run_id"]]
    assert "killed by signal 9 (SIGKILL: out of memory, or killed by hand), twice" in errors[3]
    assert "have run for 2 s" in errors[4]
    wait_until(lambda: len(client.nthreads()) == 2)


def test_workers_come_and_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", memory_limit=0
        ) as cluster,
        distributed.Client(cluster) as client,
        DaskPool(1, hear) as pool,  # the cluster that this process has a client of
    ):
        X = np.arange(6.0)
        first = pool.submit(task(trial=0, X=X), shared=[X])
        wait_until(lambda: "has no workers; the study waits" in caplog.text)
        assert not first.done()
        cluster.scale(1)
        assert first.result(TIMEOUT).lost is None
        (only,) = client.nthreads()
        marker = tmp_path / "pids"
        marker.mkdir()
        running = pool.submit(task("hang once", trial=1, X=X, parameters={"marker": str(marker)}), shared=[X])
        wait_until(lambda: list(marker.iterdir()))
        cluster.scale(2)
        client.wait_for_workers(2, timeout=TIMEOUT)
        client.retire_workers([only])  # with the data, and while a fold runs: it runs on the other one
        assert running.result(TIMEOUT).lost is None
        (pid,) = (int(path.name) for path in marker.iterdir())
        wait_until(lambda: is_gone(pid))
        cluster.scale(0)
        wait_until(lambda: not client.nthreads())
        last = pool.submit(task(trial=2, X=X), shared=[X])
        cluster.scale(1)  # all that the data was on is gone
        assert last.result(TIMEOUT).result["X"]["sum"] == 15.0
    assert pool.submit(task()).cancelled()


def test_joblibs_own_setting_means_the_same(store: MlflowClient, client: Any) -> None:
    with client.as_current(), parallel_config("dask"):
        search = GridSearchCV(Fragile(), {"behaviour": ["fine", "raise"]}, cv=2, error_score=-1.0)
        with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
            search.fit(*data())
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, -1.0]


def test_a_cluster_of_the_studys_own_ends_with_it(store: MlflowClient) -> None:
    search = GridSearchCV(Fragile(), {"held": [1, 2]}, cv=2, n_jobs=2, tracking=Tracking(backend="dask"))
    assert search.fit(*data()).cv_results_["mean_test_score"].tolist() == [0.5, 0.5]
    assert not [thread for thread in threading.enumerate() if thread.name == "mlflow-hpo-dask"]


def test_what_is_missing_is_said(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Tracking(backend="dask", scheduler="tcp://127.0.0.1:9")
    monkeypatch.setattr("mlflow_hpo.study.executors.cluster._connect._CONNECT_SECONDS", 0.5)
    with pytest.raises(HPOError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        GridSearchCV(Fragile(), {}, tracking=nowhere).fit(*data())
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackageError, match=r'pip install "mlflow-hpo\[dask\]"') as error:
        GridSearchCV(Fragile(), {}, tracking=Tracking(backend="dask")).fit(*data())
    assert isinstance(error.value.__cause__, ImportError)
    assert not store.search_runs([store.get_experiment_by_name("tests").experiment_id])


STUDY = """
import sys, uuid
from pathlib import Path
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from mlflow_hpo import GridSearchCV, Tracking

class Constant(ClassifierMixin, BaseEstimator):
    def __init__(self, folder, value=0):
        self.folder, self.value = folder, value

    def fit(self, X, y):
        from fragile import happen
        folder = Path(self.folder)
        (folder / "fits" / f"{self.value} {uuid.uuid4()}").touch()
        happen("hang" if self.value and (folder / "hang").exists() else "fine", str(folder / "pids"))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.value)

X, y = np.zeros((30, 2)), np.arange(30) % 3 == 0
folder, scheduler = sys.argv[1:]
tracking = Tracking(study="resumed", backend="dask", scheduler=scheduler, log_models="none")
search = GridSearchCV(Constant(folder), {"value": [0, 1]}, cv=3, refit=False, tracking=tracking).fit(X, y)
print(search.cv_results_["mean_test_score"].round(3).tolist(), search.study_.trials["status"].tolist())
"""


def test_a_study_that_is_killed_goes_on(store: MlflowClient, client: Any, cluster: Any, tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(STUDY)
    (tmp_path / "hang").touch()
    for name in ("fits", "pids"):
        (tmp_path / name).mkdir()
    command = [sys.executable, str(script), str(tmp_path), cluster.scheduler_address]
    for n_starts, number in enumerate([signal.SIGINT, signal.SIGKILL]):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as study:
            wait_until(lambda: len(list((tmp_path / "pids").iterdir())) == 2 and has_trial(store))
            study.send_signal(number)
            assert study.wait(TIMEOUT) != 0
        # Those who hung are stopped, though nothing waits for them any more.
        pids = [int(path.name) for path in (tmp_path / "pids").iterdir()]
        wait_until(lambda pids=pids: all(is_gone(pid) for pid in pids))
        for path in (tmp_path / "pids").iterdir():
            path.unlink()
        assert len(list((tmp_path / "fits").glob("0*"))) == 3, n_starts
    (tmp_path / "hang").unlink()
    told = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    assert told.stdout == "[0.667, 0.333] ['FINISHED', 'FINISHED']\n"
    assert len(list((tmp_path / "fits").glob("0*"))) == 3  # no fold was trained twice


def has_trial(store: MlflowClient) -> bool:
    runs = store.search_runs([store.get_experiment_by_name("tests").experiment_id])
    return any("mean_test_score" in run.data.metrics for run in runs)


DIES_BESIDE_AN_IDLE_WORKER = """
import os, signal, sys, time, uuid
from pathlib import Path
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from mlflow_hpo import GridSearchCV, Tracking

study, (folder, scheduler) = os.getpid(), sys.argv[1:]

class Killer(DummyClassifier):
    def fit(self, X, y, sample_weight=None):
        fits, pids = Path(folder, "fits"), Path(folder, "pids")
        (fits / str(uuid.uuid4())).touch()
        (pids / str(os.getpid())).touch()
        while len(list(pids.iterdir())) < 2:
            time.sleep(0.01)
        if len(list(fits.iterdir())) == 3:
            time.sleep(0.5)
            os.kill(study, signal.SIGKILL)
        return super().fit(X, y, sample_weight)

tracking = Tracking(backend="dask", scheduler=scheduler)
GridSearchCV(Killer(), {}, cv=3, tracking=tracking).fit(*load_iris(return_X_y=True))
"""


def test_idle_processes_of_a_study_that_was_killed_are_gone(
    store: MlflowClient, client: Any, cluster: Any, tmp_path: Path
) -> None:
    script = tmp_path / "study.py"
    script.write_text(DIES_BESIDE_AN_IDLE_WORKER)
    for name in ("fits", "pids"):
        (tmp_path / name).mkdir()
    command = [sys.executable, str(script), str(tmp_path), cluster.scheduler_address]
    assert subprocess.run(command, timeout=TIMEOUT).returncode == -signal.SIGKILL
    pids = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    assert len(pids) == 2
    wait_until(lambda: all(is_gone(pid) for pid in pids))


@pytest.mark.slow
def test_keras_models_train_on_the_cluster(store: MlflowClient, client: Any, cluster: Any) -> None:
    check_keras_study(store, tracking(cluster, log_models="best_fold"))
