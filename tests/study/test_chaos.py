"""`kill -9` at ten random moments, of the study, of who delivers, of a worker, of the server: nothing is lost."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
from chaos import GRID, Server, plain_output, run_with_kills, runs_left
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from mlflow_hpo import GridSearchCV
from mlflow_hpo.tracking.spool import waiting_spools

N_KILLS = 10


@pytest.mark.slow
def test_a_server_that_hangs_has_everything_once_when_it_goes_on(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
    with Server(tmp_path) as server:
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
def test_ten_kills(store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(tmp_path) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "chaos")
        monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
        client = MlflowClient(server.uri)
        client.create_experiment("chaos")
        output, killed = run_with_kills(tmp_path, N_KILLS, server=server)
        assert output.strip() == plain_output()
        assert set(killed) == {"study", "all", "others", "server"}
        runs = runs_left(client, "chaos")
        trials = {run.data.params["C"] for run in runs if "C" in run.data.params}
        assert trials == {str(c) for c in GRID["C"]}
        assert len(client.search_model_versions("name = 'chaos'")) == 1
    assert not waiting_spools()
