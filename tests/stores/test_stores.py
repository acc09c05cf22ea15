"""One contract for every store: what a study leaves there, and what can be done with it, is the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import requests
import store_servers as servers
from conftest import Store
from mlflow.entities import Run
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV as PlainGridSearchCV
from store_studies import EPOCHS, GRID, WORDS, Folds, X, pipeline, score, y

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.events import EpochEnded, RunStatus, TrialEnded, TrialStarted
from mlflow_hpo.tracking.models import ModelTemplate
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
    """A whole study."""
    tracking = Tracking(study=STUDY, register_as=MODEL, keep_best=2, tags={"équipe": "größe"})
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
    code, _, err = command("report", run_id, "--log", "--output", store.folder / "report.html")
    assert (code, err) == (0, ""), err
    assert "report.html" in files_of(store, run_id)
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
    writer = Writer(run, ModelTemplate.from_data(pipeline(), X, y))
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
