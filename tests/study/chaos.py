"""Kills at random moments: of a study, of who delivers, of its workers, of its MLflow server; and what is left then."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import requests
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

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
""".replace("GRID", repr(GRID))


class Server:
    """An MLflow server that can be killed, and comes back at the same address with what it had."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and return at once."""
        options = ["--workers", "1", "--port", str(self._port)]
        options += ["--backend-store-uri", f"sqlite:///{self._folder}/served.db"]
        options += ["--artifacts-destination", str(self._folder / "served")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        for _ in range(600):
            try:
                if requests.get(f"{self.uri}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
        raise AssertionError("the server did not come up")

    def signal(self, number: int) -> None:
        """Send it and all its workers a signal."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """Kill it with all its workers."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Server:
        self.start()
        self.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()


def run_with_kills(folder: Path, n_kills: int, seed: int = 0, server: Server | None = None) -> tuple[str, Counter[str]]:
    """Start a study again and again, kill something each time, and let the last start end.

    Returns
    -------
    output : str
        What the last start has printed: scores and the index of the best.
    killed : Counter
        How often what was killed.
    """
    script = folder / "study.py"
    script.write_text(STUDY)
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    victims = ["study", "all", "others", *(["server"] if server else [])]
    while True:
        if server is not None:
            server.wait()
        command = [sys.executable, "-W", "ignore", str(script), chance.choice(["", "process"])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as study:
            assert study.stdout is not None
            study.stdout.readline()  # what it imports is not what is to be tested
            is_last = killed.total() >= n_kills
            if not is_last:
                time.sleep(chance.uniform(0.2, 3.0))
                _kill(study.pid, victim := chance.choice(victims), server)
                killed[victim] += 1
            output = study.stdout.read()
        if is_last and study.returncode == 0:
            return output, killed


def _kill(study: int, victim: str, server: Server | None) -> None:
    others = _descendants(study)
    if victim in ("study", "all"):
        _kill_one(study)
    if victim in ("all", "others"):
        for pid in others:
            _kill_one(pid)
    if victim == "server" and server is not None:
        server.kill()
        server.start()


def _kill_one(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == pid:
            child = int(path.parent.name)
            found += [child, *_descendants(child)]
    return found


def plain_output() -> str:
    """Return what the study prints that nobody has killed, computed by scikit-learn alone."""
    search = GridSearchCV(LogisticRegression(max_iter=2000), GRID, cv=3).fit(*load_iris(return_X_y=True))
    return f"{search.cv_results_['mean_test_score'].tolist()} {search.best_index_}"


def runs_left(client: MlflowClient, experiment: str) -> list[Run]:
    """Return the runs of the experiment, after seeing that they are one study and its trials, whole."""
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    runs = list(client.search_runs([experiment_id], run_view_type=ViewType.ACTIVE_ONLY))
    assert Counter(run.data.tags["mlflow_hpo.kind"] for run in runs) == {"study": 1, "trial": len(GRID["C"])}
    assert {run.info.status for run in runs} == {"FINISHED"}
    return runs
