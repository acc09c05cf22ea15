"""Kills at random moments: of a study, of who delivers, of its workers, of its MLflow server; and what is left then."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, Run, ViewType
from serving import MLflowServer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from mlflow_hpo.tracking.spool import SPOOL_VARIABLE, waiting_spools

GRID = {"C": [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]}
STUDY = """
import json, sys, time
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from mlflow_hpo import GridSearchCV, Tracking

seconds, settings = map(json.loads, sys.argv[1:])

class Slow(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        time.sleep(seconds)
        return super().fit(X, y, sample_weight)

search = GridSearchCV(Slow(max_iter=2000), GRID, cv=3, n_jobs=settings.pop("n_jobs", None))
search.tracking = Tracking(study="chaos", register_as="chaos", **settings)
print("begun", flush=True)
search.fit(*load_iris(return_X_y=True))
print(search.cv_results_["mean_test_score"].tolist(), search.best_index_)
""".replace("GRID", repr(GRID))

# What a study survives, in each place: one of each group may die in a start, for the second worker ends a trial.
_SURVIVED = {
    "here": [["others"], ["server"]],
    "processes": [["worker"], ["deliverer"]],
    "dask": [["worker", "Dask worker"], ["deliverer"]],
}
_FATAL = ["study", "all"]
# How our processes are known among all.
_WORKER, _DELIVERER = "mlflow_hpo.study.executors._worker", "mlflow_hpo.tracking.delivery._process"


@dataclass
class Chaos:
    """A study that is started again and again, while others die and it does.

    Parameters
    ----------
    folder : Path
        Where its script is.
    chance : Random
        Decides when.
    seconds : float
        What each of its folds takes.
    ways : sequence of mapping
        Each start is one of these: the search's `n_jobs`, and how it is tracked.
    server : MLflowServer or None
    cluster : LocalCluster or None

    Attributes
    ----------
    outputs : list of str
        What was printed by each start that came to its end: scores, and the index of the best.
    killed : Counter
        How often what was killed.
    """

    folder: Path
    chance: random.Random
    seconds: float
    ways: Sequence[Mapping[str, Any]]
    server: MLflowServer | None = None
    cluster: Any = None
    outputs: list[str] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)

    def run(self, rounds: Iterable[Sequence[str]]) -> None:
        """Start the study for each round, and kill those whom it names; then, until the study has come to its end."""
        (self.folder / "study.py").write_text(STUDY)
        is_over = False
        for victims in rounds:
            is_over = self._start(victims)
        assert is_over or self._start([])

    def _start(self, victims: Sequence[str]) -> bool:
        if self.server is not None:
            self.server.wait()
        command = [sys.executable, "-W", "ignore", "study.py", str(self.seconds)]
        command.append(json.dumps(self.chance.choice(self.ways)))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self.folder) as study:
            assert study.stdout is not None
            study.stdout.readline()  # what it imports is not what is to be tested
            for victim in victims:
                while study.poll() is None and not self._pids(victim, study.pid):
                    time.sleep(0.05)
                time.sleep(self.chance.uniform(0.2, 3.0))
                if study.poll() is None:
                    self._kill(victim, study.pid)
            output = study.stdout.read()
        # One that begins while there is no server gives up.
        assert study.returncode in (0, -signal.SIGKILL) or "server" in victims
        if study.returncode == 0:
            self.outputs.append(output.splitlines()[-1])  # before it, MLflow says where the run is
        return study.returncode == 0

    def _kill(self, victim: str, study: int) -> None:
        pids = self._pids(victim, study)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victim == "server" and self.server is not None:
            self.server.kill()
            self.server.start()
        self.killed[victim] += bool(pids)

    def _pids(self, victim: str, study: int) -> list[int]:
        """Return the processes that die; none where there is no such process now."""
        match victim:
            case "study":
                return [study]
            case "all":
                return [study, *processes(_WORKER, _DELIVERER)]
            case "others":
                return processes(_WORKER, _DELIVERER)
            case "deliverer":
                return processes(_DELIVERER)
            case "worker":  # of this start: those of the one before may still be there
                return self._one_of(sorted(processes(_WORKER))[-2:])
            case "Dask worker":
                return self._one_of([nanny.pid for nanny in self.cluster.workers.values() if nanny.pid])
            case "server" if self.server is not None:
                return [self.server.pid]
        raise AssertionError(victim)

    def _one_of(self, pids: list[int]) -> list[int]:
        return [self.chance.choice(pids)] if pids else []


@contextlib.contextmanager
def chaos_in(place: str, folder: Path, seed: int, seconds: float) -> Iterator[Chaos]:
    """Have all that a study needs whose folds run in this place."""
    with contextlib.ExitStack() as stack:
        chaos = Chaos(folder, random.Random(seed), seconds, [{"n_jobs": 2, "isolation": "process"}])
        if place == "here":
            chaos.ways = [{}, {"isolation": "process"}]
            chaos.server = stack.enter_context(MLflowServer(folder))
            mlflow.set_tracking_uri(chaos.server.uri)
        elif place == "dask":
            from distributed import LocalCluster

            chaos.cluster = stack.enter_context(
                LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL)
            )
            chaos.ways = [{"backend": "dask", "scheduler": chaos.cluster.scheduler_address}]
        mlflow.set_experiment("chaos")  # and of what is started from here
        yield chaos


def rounds(place: str, n_kills: int, chance: random.Random) -> Iterator[list[str]]:
    """Yield who dies in each start of a study, in their order."""
    while n_kills > 0:
        survived = [chance.choice(group) for group in _SURVIVED[place]]
        victims = chance.sample(survived, chance.randint(0, len(survived)))
        victims = [*victims, *chance.choice([[], ["study"], ["all"]])][:n_kills]
        n_kills -= len(victims)
        if victims:
            yield victims


def processes(*programs: str) -> list[int]:
    """Return the processes of this test that run one of these modules."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            runs = any(program.encode() in (folder / "cmdline").read_bytes() for program in programs)
            if runs and _spool() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _spool() -> bytes:
    return f"{SPOOL_VARIABLE}={os.environ[SPOOL_VARIABLE]}".encode()


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


def check_what_is_left(chaos: Chaos) -> None:
    """See that there is all that there would be had nobody died, once, and nothing else."""
    assert set(chaos.outputs) == {plain_output()}, chaos.outputs
    client = MlflowClient()
    trials = {run.data.params["C"] for run in runs_left(client, "chaos") if "C" in run.data.params}
    assert trials == {str(c) for c in GRID["C"]}
    assert len(client.search_model_versions("name = 'chaos'")) == 1
    models = client.search_logged_models([client.get_experiment_by_name("chaos").experiment_id])
    assert {model.status for model in models} == {LoggedModelStatus.READY}
    assert set(Counter(model.source_run_id for model in models).values()) == {1}
    assert len(models) == len(GRID["C"]) + 1
    assert not waiting_spools()
    for _ in range(600):  # what a study has left on a cluster is found a little later
        if not processes(_WORKER, _DELIVERER):
            return
        time.sleep(0.05)
    raise AssertionError("processes are left")
