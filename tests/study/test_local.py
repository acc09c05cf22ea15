"""Threads of this process, and processes where a study is long: the same results, wherever a fold runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fragile import fold, hear
from joblib import parallel_config
from mlflow import MlflowClient
from sklearn import model_selection
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.errors import UnsupportedOptionError
from mlflow_hpo.core.reporting import current_reporter
from mlflow_hpo.study.executors import local
from mlflow_hpo.study.executors._crew import Crew
from mlflow_hpo.study.executors.local import FoldAbandoned, LocalExecutor
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

TIMEOUT = 60


def task(trial: int = 0, number: int = 0, function: Any = fold, n_trials: int = 100, **parameters: Any) -> FoldTask:
    kwargs = {"parameters": parameters, "candidate_progress": (trial, n_trials), "split_progress": (number, 3)}
    return FoldTask(trial, number, function, (BaseEstimator(), np.arange(3.0), None), kwargs, hear, keep_model=False)


def pids(outcomes: list[FoldOutcome]) -> list[int]:
    return [(outcome.result or {})["pid"] for outcome in outcomes]


def test_the_folds_of_a_trial_meet_and_nobody_idles() -> None:
    crew, done = Crew(), []
    begin = threading.Event()

    @contextmanager
    def seating() -> Iterator[Callable[[FoldTask], FoldOutcome]]:
        def run(task: FoldTask) -> FoldOutcome:
            begin.wait(TIMEOUT)
            time.sleep(0.01)
            done.append((task.trial, threading.get_ident()))
            return FoldOutcome(task.trial, task.fold)

        yield run

    crew.hire(2, seating)
    order = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 0), (2, 1)]
    futures = [crew.submit(task(*numbers)) for numbers in order]
    begin.set()
    assert [(future.result(TIMEOUT).trial, future.result().fold) for future in futures] == order
    crew.close()
    at = {trial: {thread for number, thread in done if number == trial} for trial in (0, 1, 2)}
    assert len(at[0]) == len(at[1]) == 1
    assert len(at[0] | at[1]) == 2
    assert len(at[2]) == 2  # the last folds go to whoever is free


@pytest.mark.parametrize(
    ("seconds", "busy", "join"),
    [(1e9, 9.0, False), (0.0, -1.0, False), (0.0, 9.0, True)],
    ids=["short", "busy", "long"],
)
def test_processes_join_a_long_study_whose_threads_wait(
    monkeypatch: pytest.MonkeyPatch, seconds: float, busy: float, join: bool
) -> None:
    monkeypatch.setattr(local, "WORTH_PROCESSES_SECONDS", seconds)
    monkeypatch.setattr(local, "_BUSY", busy)
    monkeypatch.setattr(local, "_WATCHED_SECONDS", 0.0)
    monkeypatch.setattr(local, "_SETTLING_SECONDS", 0.0)
    executor = LocalExecutor(2, hear, 1, may_start_processes=True)
    numbers = iter((trial, number) for trial in range(10_000) for number in range(3))
    seen: list[int] = []
    deadline = time.monotonic() + (TIMEOUT if join else 1.0)
    # Threads have gone once each process has had its first fold.
    while time.monotonic() < deadline and (len(set(seen[-20:])) != 2 or os.getpid() in seen[-20:]):
        waiting = [executor.submit(task(*next(numbers), n_trials=10_000)) for _ in range(4)]
        seen += pids([future.result(TIMEOUT) for future in waiting])
    executor.close()
    if join:
        assert seen[0] == os.getpid()
        assert len(set(seen) - {os.getpid()}) == 2
    else:
        assert set(seen) == {os.getpid()}


def test_what_cannot_travel_stays_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WORTH_PROCESSES_SECONDS", 0.0)
    monkeypatch.setattr(local, "_WATCHED_SECONDS", 0.0)
    monkeypatch.setattr(local, "_SETTLING_SECONDS", 0.0)
    monkeypatch.setattr(local, "_BUSY", 9.0)
    executor = LocalExecutor(2, hear, 1, may_start_processes=True)
    futures = [executor.submit(task(trial, held=threading.Lock())) for trial in range(20)]
    assert set(pids([future.result(TIMEOUT) for future in futures])) == {os.getpid()}
    executor.close()


def test_a_busy_thread_ends_with_its_epoch() -> None:
    ended: list[BaseException] = []

    def endless(*args: Any, **kwargs: Any) -> Any:
        reporter = current_reporter()
        assert reporter is not None
        try:
            for epoch in range(sys.maxsize):
                reporter.end_epoch(0, epoch, {"loss": 1.0})
                time.sleep(0.01)
        except BaseException as error:
            ended.append(error)
            raise

    executor = LocalExecutor(1, hear, 1, may_start_processes=False)
    futures = [executor.submit(task(trial, function=endless)) for trial in range(2)]
    while not futures[0].running():
        time.sleep(0.01)
    executor.close()
    assert [type(error) for error in ended] == [FoldAbandoned]
    assert isinstance(futures[0].exception(TIMEOUT), FoldAbandoned)
    with pytest.raises(CancelledError):
        futures[1].result(TIMEOUT)


def test_a_grid_in_threads_is_the_librarys(store: MlflowClient) -> None:
    X, y = make_classification(60, random_state=0)
    tree, grid = DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3, None]}
    plain = model_selection.GridSearchCV(tree, grid, cv=3).fit(X, y)
    ours = GridSearchCV(tree, grid, cv=3, n_jobs=2, tracking=Tracking(backend="threading")).fit(X, y)
    assert scores(ours) == scores(plain)
    assert list(ours.study_.trials["status"]) == ["FINISHED"] * 4
    assert len(store.search_logged_models([ours.study_.experiment_id])) == 5


def scores(search: Any) -> Any:
    return {name: column.tolist() for name, column in search.cv_results_.items() if name.startswith("split")}


@pytest.mark.parametrize(
    ("chosen", "settings", "message"),
    [
        ({"backend": "loky"}, {"n_threads": 2}, "not for joblib's LokyBackend"),
        ({}, {"n_threads": 4096}, "n_threads=4096.* too late|not for joblib's"),
    ],
)
def test_threads_that_cannot_be_had(store: MlflowClient, chosen: Any, settings: Any, message: str) -> None:
    X, y = make_classification(60, random_state=0)
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, n_jobs=2, tracking=Tracking(**settings))
    with parallel_config(**chosen), pytest.raises(UnsupportedOptionError, match=message):
        search.fit(X, y)
    assert store.search_runs(["0"]) == []


KERAS_SEARCH = """
import os, sys, threading, json
import numpy as np, keras, mlflow
from joblib import parallel_config
from sklearn.datasets import load_digits
from mlflow_hpo import GridSearchCV, KerasClassifier, Tracking
from mlflow_hpo.keras.reuse.pool import pool

def create_model(rate=0.01, units=8):
    model = keras.Sequential([
        keras.layers.Input((8, 8, 1)), keras.layers.Conv2D(units, 3, activation="relu"), keras.layers.Flatten(),
        keras.layers.Dropout(0.2), keras.layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model

X, y = load_digits(return_X_y=True)
X, y = (X[:300] / 16).reshape(-1, 8, 8, 1), y[:300]
model = KerasClassifier(create_model, epochs=2, verbose=0, random_state=0)
searches = {}
for name, settings in json.loads(sys.argv[1]).items():
    search = GridSearchCV(model, {"rate": [0.01, 0.001], "units": [4, 8]}, cv=2, n_jobs=settings.pop("n_jobs"),
                          tracking=Tracking(log_models="none", **settings)).fit(X, y)
    run = mlflow.get_run(search.study_.run_id)
    searches[name] = [search.cv_results_[f"split{fold}_test_score"].tolist() for fold in range(2)]
    searches[name].append(search.best_estimator_.model_.get_weights()[0].ravel().tolist())
    searches[name + " threads"] = run.data.tags["mlflow_hpo.n_threads"]
    searches[name + " graphs here"] = len(pool)
print(json.dumps(searches))
"""


@pytest.mark.slow
def test_convolutions_are_equal_wherever_they_run(store: MlflowClient, tmp_path: Any) -> None:
    import json

    places = {
        "threads": {"n_jobs": 2, "n_threads": 1},
        "inline": {"n_jobs": 1},
        "processes": {"n_jobs": 2, "isolation": "process", "n_threads": 1},
    }
    process = subprocess.run(
        [sys.executable, "-c", KERAS_SEARCH, json.dumps(places)], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout.splitlines()[-1])
    assert found["threads graphs here"] >= 2
    for place in places:
        assert found[place] == found["inline"]
        assert found[f"{place} threads"] == "1"
