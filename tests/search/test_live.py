"""What another process sees of a search while it runs, and what a real server keeps of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from serving import MLflowServer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from mlflow_hpo import GridSearchCV, Tracking

SEARCH = """
import time
from pathlib import Path
import keras
import numpy as np
from mlflow_hpo import GridSearchCV, KerasClassifier

def create_model(rate=0.1):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

class WaitUntilSeen(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        began = time.monotonic()
        while epoch in (4, 8, 12) and int(Path("seen").read_text()) < epoch:
            if time.monotonic() - began > 120:
                raise TimeoutError(f"Nobody has seen the first {epoch} epochs")
            time.sleep(0.05)

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
y = (X[:, 0] > 0).astype(int)
model = KerasClassifier(create_model, epochs=16, verbose=0, random_state=0, callbacks=[WaitUntilSeen()])
GridSearchCV(model, {"rate": [0.1, 0.01]}, cv=2, n_jobs=N_JOBS).fit(X, y)
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_trials_and_their_epochs_are_seen_while_they_run(store: MlflowClient, n_jobs: int) -> None:
    experiment = store.get_experiment_by_name("tests")
    environment = {**os.environ, "MLFLOW_EXPERIMENT_NAME": experiment.name}
    seen = Path("seen")
    seen.write_text("0")
    # The search goes on when the epochs before have been seen: it ends only where they are, on however slow a machine.
    with subprocess.Popen([sys.executable, "-c", SEARCH.replace("N_JOBS", str(n_jobs))], env=environment) as search:
        while search.poll() is None:
            for run in store.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'"):
                if run.data.tags.get("mlflow_hpo.kind") == "trial" and "split0/loss" in run.data.metrics:
                    n_epochs = len(store.get_metric_history(run.info.run_id, "split0/loss"))
                    if n_epochs > int(seen.read_text()):
                        Path("seen.new").write_text(str(n_epochs))
                        Path("seen.new").replace(seen)
            time.sleep(0.1)
    assert search.returncode == 0
    assert int(seen.read_text()) >= 12
    trials = store.search_runs([experiment.experiment_id], "tags.`mlflow_hpo.kind` = 'trial'")
    assert [run.info.status for run in trials] == ["FINISHED", "FINISHED"]
    for run in trials:
        for split in (0, 1):
            history = store.get_metric_history(run.info.run_id, f"split{split}/accuracy")
            assert sorted(metric.step for metric in history) == list(range(16))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server."""
    with MLflowServer(tmp_path_factory.mktemp("server")) as server:
        yield server.uri


@pytest.mark.slow
def test_a_server_over_http_keeps_a_whole_study(store: MlflowClient, server: str) -> None:
    mlflow.set_tracking_uri(server)
    mlflow.tracking.fluent._active_experiment_id = None
    mlflow.set_experiment("over-http")
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(
        LogisticRegression(max_iter=500),
        {"C": [0.1, 1.0, 10.0]},
        cv=3,
        tracking=Tracking(register_as="iris", keep_best=2),
    ).fit(X, y)
    client = MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("over-http").experiment_id
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{search.study_.run_id}'")
    assert [run.info.status for run in trials] == ["FINISHED"] * 3
    assert {run.data.params["C"] for run in trials} == {"0.1", "1.0", "10.0"}
    assert max(run.data.metrics["mean_test_score"] for run in trials) == search.best_score_
    assert len(client.search_logged_models([experiment])) == 3  # two trials' and the refitted one
    version = client.get_model_version_by_alias("iris", "champion")
    assert (mlflow.pyfunc.load_model(f"models:/iris/{version.version}").predict(X) == search.predict(X)).all()
