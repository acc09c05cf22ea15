"""The store goes away, who delivers dies, something is refused: nothing is lost, nothing comes twice."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from serving import Gateway, MLflowServer
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.events import EpochEnded, RunStatus, TrialEnded, TrialStarted
from mlflow_hpo.project.cli import cli
from mlflow_hpo.tracking.delivery import Delivery, courier, deliver_waiting
from mlflow_hpo.tracking.delivery._models import ModelLogger
from mlflow_hpo.tracking.delivery._process import Job
from mlflow_hpo.tracking.packing import pack_estimator, template_of
from mlflow_hpo.tracking.read import model_ids
from mlflow_hpo.tracking.records import Logged, StoredModel
from mlflow_hpo.tracking.runs import StudyRun, leave_study_run, open_study_run
from mlflow_hpo.tracking.spool import Address, Spool, spool_folder, waiting_spools
from mlflow_hpo.tracking.writer import Writer

X, y = load_iris(return_X_y=True)
TEMPLATE = template_of(DecisionTreeClassifier(), X, y)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setenv("MLFLOW_HPO_PATIENCE", str(seconds))


@pytest.fixture
def study(store: MlflowClient) -> Iterator[tuple[Writer, StudyRun]]:
    run = open_study_run("written", {"mlflow_hpo.kind": "study"})
    yield Writer(run, TEMPLATE), run
    leave_study_run(run)


def trial(writer: Writer, number: int, epochs: int = 3, **tags: str) -> None:
    writer.put(TrialStarted(number, f"trial {number}", {"C": number}, tags))
    for epoch in range(epochs):
        writer.put(EpochEnded(number, 0, 0, epoch, {"loss": 1.0 / (epoch + 1)}))
    writer.put(TrialEnded(number, RunStatus.FINISHED, {"mean_test_score": 0.5}, 0.5))


def steps(store: MlflowClient, run_id: str) -> list[int]:
    return [metric.step for metric in store.get_metric_history(run_id, "split0/loss")]


def children(store: MlflowClient, run: StudyRun) -> list[Any]:
    found = store.search_runs([run.experiment_id], f"tags.`mlflow.parentRunId` = '{run.run_id}'", max_results=1000)
    return sorted(found, key=lambda child: int(child.data.tags["mlflow_hpo.trial"]))


def test_a_locked_database_is_waited_for(store: MlflowClient, study: tuple[Writer, StudyRun], tmp_path: Path) -> None:
    writer, run = study
    trial(writer, 0)
    writer.trial_run_id(0)
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    for number in range(1, 4):
        trial(writer, number)
    assert time.monotonic() - started < 1.0  # who trains does not wait
    other.execute("ROLLBACK")
    writer.close(RunStatus.FINISHED)
    assert [child.info.status for child in children(store, run)] == ["FINISHED"] * 4
    assert [steps(store, child.info.run_id) for child in children(store, run)] == [[0, 1, 2]] * 4
    assert not waiting_spools()


def test_a_store_that_stays_away_leaves_a_spool_that_is_delivered_later(
    store: MlflowClient,
    study: tuple[Writer, StudyRun],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    patience: Callable[[float], None],
) -> None:
    writer, run = study
    trial(writer, 0)
    writer.trial_run_id(0)
    patience(1.0)
    # The file is taken away, and what would make a new one is in its place.
    (tmp_path / "mlflow.db").rename(tmp_path / "away.db")
    (tmp_path / "mlflow.db").mkdir()
    trial(writer, 1)
    with caplog.at_level(logging.WARNING):
        writer.close(RunStatus.FINISHED)
    assert "mlflow-hpo deliver" in caplog.text
    [spool] = waiting_spools()
    assert str(spool.folder) in caplog.text
    assert stat.S_IMODE(spool_folder().stat().st_mode) == 0o700

    (tmp_path / "mlflow.db").rmdir()
    (tmp_path / "away.db").rename(tmp_path / "mlflow.db")
    # The study's process tries on as long as it lives; whoever comes first delivers.
    deadline = time.monotonic() + 30
    while waiting_spools() and time.monotonic() < deadline:
        CliRunner().invoke(cli, ["deliver"])
        time.sleep(0.2)
    assert store.get_run(run.run_id).info.status == "FINISHED"
    assert [steps(store, child.info.run_id) for child in children(store, run)] == [[0, 1, 2]] * 2
    assert "Nothing waits" in CliRunner().invoke(cli, ["deliver"]).output


def test_what_the_store_refuses_does_not_block_the_rest(
    store: MlflowClient, study: tuple[Writer, StudyRun], caplog: pytest.LogCaptureFixture
) -> None:
    writer, run = study
    with caplog.at_level(logging.WARNING):
        trial(writer, 0)
        writer.log(Logged(0, 0, params={"C": "another value"}, metrics={"beside": 1.0}))
        writer.log(Logged(7, 0, metrics={"of_nobody": 1.0}))
        trial(writer, 1)
        writer.close(RunStatus.FINISHED)
    first, second = children(store, run)
    assert (first.data.params["C"], first.data.metrics["beside"], second.info.status) == ("0", 1.0, "FINISHED")
    assert "MLflow does not take param 'C'" in caplog.text
    assert "MLflow does not take Logged of trial 7" in caplog.text


@pytest.mark.parametrize("wait", [0.0, 0.4])
def test_the_process_that_delivers_can_die(store: MlflowClient, study: tuple[Writer, StudyRun], wait: float) -> None:
    writer, run = study
    for number in range(4):
        trial(writer, number)
        time.sleep(wait)
        process = courier()._process
        if process is not None:
            process.kill()  # unlike os.kill, of a process that another thread has waited for as well
            process.wait()
    writer.close(RunStatus.FINISHED)
    assert [child.data.params for child in children(store, run)] == [{"C": str(number)} for number in range(4)]
    assert [steps(store, child.info.run_id) for child in children(store, run)] == [[0, 1, 2]] * 4


def test_deaths_count_from_the_last_answer(store: MlflowClient, study: tuple[Writer, StudyRun]) -> None:
    writer, run = study
    for number in range(8):  # more than are forgiven in a row
        trial(writer, number)
        writer.trial_run_id(number)
        process = courier()._process
        assert process is not None
        process.kill()
        while courier()._process is process:
            time.sleep(0.01)
    writer.close(RunStatus.FINISHED)
    assert [steps(store, child.info.run_id) for child in children(store, run)] == [[0, 1, 2]] * 8


def test_a_process_that_dies_again_and_again_is_given_up(
    store: MlflowClient,
    study: tuple[Writer, StudyRun],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    patience: Callable[[float], None],
) -> None:
    writer, run = study
    trial(writer, 0)
    writer.trial_run_id(0)
    monkeypatch.setattr(courier(), "_deaths", 99)
    patience(0.5)
    process = courier()._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    while courier()._process is not None:
        time.sleep(0.01)
    trial(writer, 1)
    writer.close(RunStatus.FINISHED)
    assert "has died" in caplog.text
    assert "mlflow-hpo deliver" in caplog.text
    assert [delivered.error for delivered in deliver_waiting()] == [None]
    assert [child.info.status for child in children(store, run)] == ["FINISHED"] * 2


def test_who_delivers_makes_way_for_who_trains(study: tuple[Writer, StudyRun]) -> None:
    process = courier()._process
    assert process is not None
    # Linux shares cores out among sessions first: in one of its own, niceness would count for nothing.
    assert os.getsid(process.pid) == os.getsid(0)
    assert os.getpgid(process.pid) == process.pid  # Ctrl-C is for the study alone
    deadline = time.monotonic() + 10
    while os.getpriority(os.PRIO_PROCESS, process.pid) <= os.getpriority(os.PRIO_PROCESS, 0):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_had_nothing_to_deliver_ends_at_once() -> None:
    program = """
import atexit
from mlflow_hpo.tracking.delivery import courier
started = []
atexit.register(lambda: print(started[0].returncode))
courier().start()
started.append(courier()._process)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(-signal.SIGKILL)


def test_a_torn_record_waits_for_its_end(study: tuple[Writer, StudyRun]) -> None:
    writer, _ = study
    spool: Spool = writer._spool
    before = list(spool.read(0))
    with (spool.folder / "records").open("ab") as file:
        file.write(b"\x40\x00\x00\x00torn")
    assert list(spool.read(0)) == before


def test_a_model_that_was_being_logged_is_there_once(store: MlflowClient, study: tuple[Writer, StudyRun]) -> None:
    writer, run = study
    packed = pack_estimator(DecisionTreeClassifier().fit(X, y), TEMPLATE)
    model = StoredModel(writer._spool.add_model(packed.to_bytes()), "model", {"max_depth": "None"})
    logger = ModelLogger(store, writer._spool)
    # The user's own, and ours: killed once before the files were there, and once before the run was told.
    own = store.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
    tags = {"mlflow_hpo.kind": "model"}
    torn = store.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id, tags=tags)
    (whole,) = {logger.log(run.run_id, model, is_careful=True) for _ in range(2)}
    for _ in range(2):
        logger.link(run.run_id, [whole], is_careful=True)
    left = {model.model_id: model.params for model in store.search_logged_models([run.experiment_id])}
    assert left == {own.model_id: {}, whole: {"max_depth": "None"}}
    assert torn.model_id not in left
    assert model_ids(store.get_run(run.run_id)) == [whole]
    writer.close(RunStatus.FINISHED)


def test_the_end_of_a_trial_does_not_linger(store: MlflowClient) -> None:
    run = store.create_run(store.get_experiment_by_name("tests").experiment_id)
    uri = store.tracking_uri
    spool = Spool.create(Address(run.info.run_id, run.info.experiment_id, uri, uri))
    job = Job(Delivery(spool), spool.lock())
    now = time.monotonic()
    spool.append(Logged(None, 0, metrics={"loss": 0.5}))
    assert not job.is_due(now)
    job.hurry()
    assert job.is_due(now)
    assert job.deliver() is None
    assert store.get_run(run.info.run_id).data.metrics == {"loss": 0.5}
    spool.append(Logged(None, 0, metrics={"loss": 0.4}))
    assert not job.is_due(now)


def test_only_one_delivers_a_spool(study: tuple[Writer, StudyRun]) -> None:
    writer, _ = study
    trial(writer, 0)
    writer.trial_run_id(0)
    assert [delivered.error for delivered in deliver_waiting()] == ["another process is delivering it"]
    writer.close(RunStatus.FINISHED)


ORPHAN = """
import os, time
from mlflow_hpo import gp_minimize
def objective(x):
    if x[0] != FIRST:
        os.kill(os.getpid(), 9)
    return x[0] ** 2
FIRST = None
def first(x):
    global FIRST
    FIRST = FIRST or x[0]
    return objective(x)
gp_minimize(first, [(-1.0, 1.0)], n_calls=4, n_initial_points=4, random_state=0)
"""


def test_a_killed_study_leaves_no_running_run_and_no_process(store: MlflowClient, tmp_path: Path) -> None:
    environment = {**os.environ, "MLFLOW_EXPERIMENT_NAME": "tests"}
    subprocess.run([sys.executable, "-c", ORPHAN], env=environment, check=False)
    experiment = store.get_experiment_by_name("tests").experiment_id
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and waiting_spools():
        time.sleep(0.1)
    statuses = {run.info.run_name: run.info.status for run in store.search_runs([experiment])}
    assert sorted(statuses.values()) == ["FINISHED", "KILLED", "KILLED"]
    assert not waiting_spools()


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back_has_everything_once(store: MlflowClient, tmp_path: Path) -> None:
    with MLflowServer(tmp_path, store=store.tracking_uri) as server:
        mlflow.set_tracking_uri(server.uri)
        client = MlflowClient(server.uri)
        mlflow.set_experiment("served")

        class Interrupting(DecisionTreeClassifier):
            """Kills the server in the middle of the search."""

            def fit(self, X: Any, y: Any, **options: Any) -> Any:
                if self.max_depth == 3:
                    server.kill()
                return super().fit(X, y, **options)

        grid = {"max_depth": [1, 2, 3, 4, 5]}
        tracking = Tracking(study="served", log_models="none")

        class Search(GridSearchCV):
            def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
                super()._run_search(evaluate_candidates, callback_ctx=callback_ctx)
                server.start()

        search = Search(Interrupting(random_state=0), grid, cv=3, tracking=tracking, refit=False).fit(X, y)
        server.wait()
        trials = search.study_.trials
        assert list(trials["mean_test_score"]) == list(search.cv_results_["mean_test_score"])
        assert set(trials["status"]) == {"FINISHED"}
        assert client.get_run(search.study_.run_id).info.status == "FINISHED"


@pytest.mark.slow
def test_a_server_that_answers_5xx_for_a_while_has_everything_once(
    store: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MLflowServer(tmp_path, store=store.tracking_uri) as server, Gateway(server.uri) as gateway:
        mlflow.set_tracking_uri(gateway.uri)
        mlflow.set_experiment("overloaded")

        def scoring(estimator: Any, X: Any, y: Any) -> float:
            if estimator.max_depth == 3:
                gateway.answers[:] = [500, 502, 503, 504]
            return float(estimator.score(X, y))

        grid = {"max_depth": [1, 2, 3, 4, 5]}
        search = GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=3, scoring=scoring).fit(X, y)
        assert not gateway.answers
        assert "The tracking store is back" in caplog.text
        trials = search.study_.trials
        assert list(trials["mean_test_score"]) == list(search.cv_results_["mean_test_score"])
        assert set(trials["status"]) == {"FINISHED"}
        assert len(store.search_logged_models([search.study_.experiment_id])) == 6
        assert store.get_run(search.study_.run_id).info.status == "FINISHED"
