"""One contract for every store: what a study leaves there, and what can be done with it, is the same everywhere."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import requests
import store_servers as servers
from mlflow.entities import Run
from serving import free_port
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV as PlainGridSearchCV
from store_kinds import EXPERIMENT, READER, READER_PASSWORD, USER, Store
from store_studies import EPOCHS, GRID, WORDS, Folds, X, pipeline, score, y

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.events import EpochEnded, RunStatus, TrialEnded, TrialStarted
from mlflow_hpo.tracking.packing import template_of
from mlflow_hpo.tracking.runs import leave_study_run, open_study_run
from mlflow_hpo.tracking.spool import waiting_spools
from mlflow_hpo.tracking.writer import Writer

pytestmark = pytest.mark.slow

STUDY, MODEL = "größte 'Studie' 网格", "modèle-网格"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folds:
    for name in ("FOLDS_FILE", "FOLDS_STOP"):
        monkeypatch.setenv(name, "")
    return Folds(tmp_path / "folds")


@pytest.fixture(scope="module")
def search(store: Store) -> Any:
    """A whole study, with a report."""
    tracking = Tracking(study=STUDY, register_as=MODEL, keep_best=2, tags={"équipe": "größe"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HPO_REPORT", "true")
        return GridSearchCV(pipeline(), GRID, cv=3, tracking=tracking).fit(X, y)


def trials_of(store: Store, run_id: str) -> list[Run]:
    found = store.client.search_runs([store.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'", max_results=1000)
    return sorted(found, key=lambda run: int(run.data.tags["mlflow_hpo.trial"]))


def files_of(store: Store, run_id: str, path: str | None = None) -> list[str]:
    return [file.path for file in store.client.list_artifacts(run_id, path)]


def test_every_trial_is_there(store: Store, search: Any) -> None:
    trials = trials_of(store, search.study_.run_id)
    assert [run.data.params for run in trials] == [
        {"logisticregression__C": str(C)} for C in GRID["logisticregression__C"]
    ]
    for name in ("mean_test_score", "std_test_score", *(f"split{split}_test_score" for split in range(3))):
        assert [run.data.metrics[name] for run in trials] == search.cv_results_[name].tolist()
    assert {run.info.status for run in trials} == {"FINISHED"}
    study = store.client.get_run(search.study_.run_id)
    assert (study.info.status, study.info.run_name, study.data.tags["équipe"]) == ("FINISHED", STUDY, "größe")
    assert not waiting_spools()


def test_it_is_read_back(search: Any) -> None:
    table = search.study_.trials
    assert table["mean_test_score"].tolist() == search.cv_results_["mean_test_score"].tolist()
    assert search.study_.best_trial.number == search.best_index_
    assert search.study_.best_trial.score == search.best_score_


def test_the_best_is_registered_and_predicts_the_same(store: Store, search: Any) -> None:
    assert search.study_.registered == (MODEL, "1")
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    np.testing.assert_array_equal(model.predict(X), search.predict(X))


def test_models_beyond_keep_best_leave_no_file(store: Store, search: Any) -> None:
    kept = [run for run in trials_of(store, search.study_.run_id) if models_of(store, run)]
    order = np.argsort(-search.cv_results_["mean_test_score"], kind="stable")[:2]
    assert sorted(int(run.data.tags["mlflow_hpo.trial"]) for run in kept) == sorted(order.tolist())
    if store.s3 is not None:
        address, folder = store.s3
        listed = requests.get(f"{address}/{servers.BUCKET}?list-type=2&prefix={folder}/", timeout=10).text
        assert listed.count("/MLmodel</Key>") == 3  # with the best, refitted


def models_of(store: Store, run: Run) -> list[str]:
    found = store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run.info.run_id}'")
    return [model.model_id for model in found]


def test_the_report_is_on_the_run(store: Store, search: Any, command: Command) -> None:
    run_id = search.study_.run_id
    deadline = time.monotonic() + 60.0
    while "report.html" not in files_of(store, run_id) and time.monotonic() < deadline:
        time.sleep(0.2)  # a program of its own makes it
    code, _, err = command("report", run_id, "--log", "--output", store.folder / "report.html")
    assert time.monotonic() < deadline
    assert (code, err) == (0, ""), err
    page = mlflow.artifacts.load_text(f"runs:/{run_id}/report.html")
    assert page == (store.folder / "report.html").read_text("utf-8")
    assert STUDY.replace("'", "&#39;") in page


def test_the_command_line_reads_and_registers(store: Store, search: Any, command: Command) -> None:
    run_id = search.study_.run_id
    code, out, err = command("trials", run_id, "--format", "csv")
    assert (code, len(out.splitlines())) == (0, 1 + 4), err
    code, out, err = command("best", run_id)
    assert code == 0, err
    assert f"{search.best_score_:.6g}" in out
    code, out, err = command("register", run_id, "--name", MODEL)
    assert code == 0, err
    assert len(store.client.search_model_versions(f"name = '{MODEL}'")) == 1  # it is registered already


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_an_interrupted_study_goes_on(store: Store, folds: Folds) -> None:
    grid = {"C": [0.01, -1.0, 1.0, 100.0]}

    def search(kind: Any, **options: Any) -> Any:
        return kind(LogisticRegression(max_iter=2000), grid, cv=3, scoring=score, **options).fit(X, y)

    plain = search(PlainGridSearchCV)
    folds.restart(stop=5)
    tracking = Tracking(study="unterbrochen")
    with pytest.raises(KeyboardInterrupt):
        search(GridSearchCV, tracking=tracking)
    folds.restart()
    again = search(GridSearchCV, tracking=tracking)
    assert len(folds) == 9 - 4
    for name, values in plain.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(again.cv_results_[name], values, err_msg=name)

    studies = store.client.search_runs([store.experiment_id], "tags.`mlflow_hpo.study` = 'unterbrochen'")
    assert [run.info.run_id for run in studies] == [again.study_.run_id]
    trials = trials_of(store, again.study_.run_id)
    assert [run.info.status for run in trials] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]
    for run in (trials[0], trials[2], trials[3]):
        for split in range(3):
            history = store.client.get_metric_history(run.info.run_id, f"split{split}/loss")
            assert [point.value for point in history] == [float(run.data.params["C"]) / (e + 1) for e in range(EPOCHS)]
        assert math.isnan(run.data.metrics["split0/gap"])


def test_many_values_and_unusual_ones(store: Store) -> None:
    run = open_study_run("n" * 400, {"mlflow_hpo.kind": "study", "words": WORDS})
    writer = Writer(run, template_of(pipeline(), X, y))
    writer.put(TrialStarted(0, "trial 0", {f"p{number}": number for number in range(150)} | {"words": WORDS}))
    for epoch in range(1200):
        writer.put(EpochEnded(0, 0, 0, epoch, {"loss": 1.0 / (epoch + 1), "gap": math.inf}))
    writer.put(TrialEnded(0, RunStatus.FAILED, {"mean_test_score": math.nan}, error=f"Error: {WORDS}"))
    leave_study_run(run)
    writer.close(RunStatus.FINISHED)
    assert not waiting_spools()
    [trial] = trials_of(store, run.run_id)
    assert (len(trial.data.params), trial.info.status) == (151, "FAILED")
    assert trial.data.params["words"].startswith(shown := r"größer als 网格 \x00 \udcff éé")
    assert trial.data.tags["mlflow_hpo.error"].startswith(f"Error: {shown}")
    assert shown in store.client.get_run(run.run_id).data.tags["words"]
    assert shown in mlflow.artifacts.load_text(f"runs:/{trial.info.run_id}/traceback.txt")
    assert math.isnan(trial.data.metrics["mean_test_score"])
    history = store.client.get_metric_history(trial.info.run_id, "split0/loss")
    assert [point.step for point in history] == list(range(1200))
    assert not [line for line in store.said if "does not" in line]


@pytest.mark.parametrize("store", ["postgres-s3-direct"], indirect=True)
def test_models_wait_for_s3(store: Store, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        patch.setenv("MLFLOW_HPO_PATIENCE", "1")
        tracking = Tracking(study="waits")
        search = GridSearchCV(pipeline(), {"logisticregression__C": [1.0]}, cv=3, tracking=tracking).fit(X, y)
    assert "The tracking store does not answer" in store.said[-1]
    assert len(waiting_spools()) == 1
    # The process that delivers knows the wrong address; another study tells it the right one.
    GridSearchCV(pipeline(), {"logisticregression__C": [1.0]}, cv=3, tracking=Tracking(log_models="none")).fit(X, y)
    deadline = time.monotonic() + 60.0
    while waiting_spools() and time.monotonic() < deadline:
        command("deliver")
    [trial] = trials_of(store, search.study_.run_id)
    statuses = [store.client.get_logged_model(model).status for model in models_of(store, trial)]
    assert (trial.info.status, statuses.count("READY")) == ("FINISHED", 1)


with_users = pytest.mark.parametrize("store", ["postgres-s3", "postgres-s3-direct"], indirect=True)
MODULE = (
    "from sklearn.tree import DecisionTreeClassifier\ndef make():\n    return DecisionTreeClassifier(random_state=0)\n"
)
STUDY_FILE = """\
estimator: model.py:make
data: {sklearn: iris}
task: classification
space: {max_depth: {categories: [1, 2]}}
strategy: grid
cv: {folds: 3}
register_as: iris
"""


@pytest.fixture
def study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):  # which the command line sets
        monkeypatch.setenv(name, os.environ.get(name, ""))
    (tmp_path / "model.py").write_text(MODULE)
    (tmp_path / "study.yaml").write_text(STUDY_FILE)
    return tmp_path / "study.yaml"


@with_users
def test_the_password_is_shown_nowhere(store: Store, search: Any, study_file: Path) -> None:
    environment = {**os.environ, "MLFLOW_EXPERIMENT_NAME": EXPERIMENT}
    run = [sys.executable, "-m", "mlflow_hpo", "run", str(study_file)]
    printed = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    assert printed.stderr == ""
    shown = [
        printed.stdout,
        repr(search.study_),
        search.study_._repr_html_(),
        *store.said,
        *everything_kept(store, search.study_.run_id),
    ]
    shown.append((store.folder / "spool" / "delivery.log").read_text(errors="replace"))
    for secret in store.secrets:
        assert not [text for text in shown if secret in text], secret


def everything_kept(store: Store, run_id: str) -> Iterator[str]:
    for run in store.client.search_runs([store.experiment_id]):
        yield str(run.to_dictionary())
    for version in store.client.search_model_versions():
        yield f"{version.tags} {version.description} {version.source}"
    folder = mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(store.folder / "kept"))
    for file in Path(folder).rglob("*"):
        if file.is_file():
            yield file.read_bytes().decode("utf-8", "replace")


def another_user(store: Store, monkeypatch: pytest.MonkeyPatch, user: str, password: str) -> str:
    """Return the store's address for somebody else, who is named in the same way."""
    if "MLFLOW_TRACKING_USERNAME" in store.environment:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        return store.uri
    return f"http://{user}:{password}@{store.uri.rpartition('@')[2]}"


@with_users
def test_a_wrong_password_is_told_before_anything_trains(
    store: Store, study_file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = another_user(store, monkeypatch, USER, "a-wrong-one")
    code, out, err = command("run", study_file, "--tracking-uri", uri, "--experiment-name", "never")
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert "error code 401" in line
    assert "MLFLOW_TRACKING_PASSWORD" in line
    assert "a-wrong-one" not in line


@with_users
def test_who_may_only_read_is_told_so(
    store: Store, study_file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(store.client.search_runs([store.experiment_id]))
    uri = another_user(store, monkeypatch, READER, READER_PASSWORD)
    code, _, err = command("run", study_file, "--tracking-uri", uri, "--experiment-name", EXPERIMENT)
    assert code == 2
    assert "lets this user only read" in err
    assert READER_PASSWORD not in err
    assert len(store.client.search_runs([store.experiment_id])) == before
