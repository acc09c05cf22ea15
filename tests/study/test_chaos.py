"""`kill -9` at random moments, again and again, of the study, of who delivers, and of a worker: nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from mlflow_hpo.tracking.spool import waiting_spools

GRID = {"C": [0.01, 0.1, 1.0, 10.0]}
STUDY = """
import sys, time
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from mlflow_hpo import GridSearchCV, Tracking

class Slow(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        time.sleep(0.25)
        return super().fit(X, y, sample_weight)

tracking = Tracking(study="chaos", register_as="chaos", isolation=sys.argv[1] or None)
print("begun", flush=True)
search = GridSearchCV(Slow(max_iter=2000), GRID, cv=3, tracking=tracking).fit(*load_iris(return_X_y=True))
print(search.cv_results_["mean_test_score"].tolist(), search.best_index_)
"""
N_KILLS = 10


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == pid:
            child = int(path.parent.name)
            found += [child, *descendants(child)]
    return found


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc")
def test_ten_kills(store: MlflowClient, tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(STUDY.replace("GRID", repr(GRID)))
    environment = {**os.environ, "MLFLOW_EXPERIMENT_NAME": "tests"}
    chance = random.Random(0)
    killed = 0
    output = ""
    while True:
        isolation = chance.choice(["", "process"])
        command = [sys.executable, "-W", "ignore", str(script), isolation]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as study:
            assert study.stdout is not None
            study.stdout.readline()  # what it imports is not what is to be tested
            if killed < N_KILLS:
                time.sleep(chance.uniform(0.2, 3.0))
                victims = chance.choice(["study", "all", "others"])
                others = descendants(study.pid)
                if victims in ("study", "all"):
                    kill(study.pid)
                if victims in ("all", "others"):
                    for pid in others:
                        kill(pid)
                killed += 1
            output = study.stdout.read()
        if killed >= N_KILLS and study.returncode == 0:
            break

    X, y = load_iris(return_X_y=True)
    plain = GridSearchCV(LogisticRegression(max_iter=2000), GRID, cv=3).fit(X, y)
    assert output.strip() == f"{plain.cv_results_['mean_test_score'].tolist()} {plain.best_index_}"
    experiment = store.get_experiment_by_name("tests").experiment_id
    runs = store.search_runs([experiment], run_view_type=ViewType.ACTIVE_ONLY)
    kinds = [run.data.tags["mlflow_hpo.kind"] for run in runs]
    assert (kinds.count("study"), kinds.count("trial")) == (1, 4)
    assert {run.info.status for run in runs} == {"FINISHED"}
    trials = {run.data.params["C"]: run.data.metrics["mean_test_score"] for run in runs if "C" in run.data.params}
    assert np.allclose([trials[str(c)] for c in GRID["C"]], plain.cv_results_["mean_test_score"], rtol=0, atol=0)
    assert len(store.search_model_versions("name = 'chaos'")) == 1
    assert not waiting_spools()
