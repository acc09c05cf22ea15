"""`kill -9` at random moments, of the study, of who delivers, of a worker, of the server: nothing is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import mlflow
import pytest
from chaos import GRID, chaos_in, check_what_is_left, runs_left
from mlflow import MlflowClient
from serving import MLflowServer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from mlflow_hpo import GridSearchCV


@pytest.mark.slow
def test_a_server_that_hangs_has_everything_once_when_it_goes_on(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
    with MLflowServer(tmp_path) as server:
        mlflow.set_tracking_uri(server.uri)
        mlflow.set_experiment("hanging")

        class Hanging(LogisticRegression):
            """Has the server hang in the middle of the search: it takes connections, and does not answer."""

            def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
                if self.C == 1.0:
                    server.signal(signal.SIGSTOP)
                    # Longer than a request is waited for, so that what was asked comes a second time.
                    threading.Timer(20.0, server.signal, [signal.SIGCONT]).start()
                return super().fit(X, y, sample_weight)

        began = time.monotonic()
        search = GridSearchCV(Hanging(max_iter=2000), GRID, cv=[(range(100), range(100, 150))], refit=False)
        search.fit(*load_iris(return_X_y=True))
        assert search.cv_results_["mean_fit_time"].sum() < 10
        assert time.monotonic() - began > 20
        trials = search.study_.trials
        assert trials["mean_test_score"].tolist() == search.cv_results_["mean_test_score"].tolist()
        runs_left(MlflowClient(server.uri), "hanging")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize(
    ("place", "seconds", "victims"),
    [
        ("here", 0.2, [["server", "others", "study"], ["others", "all"], ["others", "server"]]),
        ("processes", 0.75, [["worker", "study"], ["deliverer", "all"], ["worker"]]),
        ("dask", 0.75, [["worker", "all"], ["deliverer", "study"], ["Dask worker"]]),
    ],
)
def test_kills(
    store: MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    seconds: float,
    victims: list[list[str]],
) -> None:
    monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
    with chaos_in(place, tmp_path, seed=0, seconds=seconds) as chaos:
        chaos.run(victims)
        assert chaos.killed == Counter(chain(*victims))
        check_what_is_left(chaos)
