"""The run of a study: new, nested, or the one that `mlflow run` made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.errors import NotFoundError
from mlflow_hpo.tracking import best_trial, end_run_failed, read_trials


def search() -> str:
    """Search, and return the run of the study."""
    tracking = Tracking(log_models="none")
    tree = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2, tracking=tracking)
    return str(tree.fit(*load_iris(return_X_y=True)).study_.run_id)


@pytest.fixture
def project_run(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run that `mlflow run` has made for this process."""
    experiment = store.get_experiment_by_name("tests").experiment_id
    run_id = store.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    return str(run_id)


def test_the_projects_run_is_the_studys_and_a_second_study_nests_in_it(store: MlflowClient, project_run: str) -> None:
    assert search() == project_run
    assert store.get_run(project_run).info.status == "FINISHED"
    second = search()
    assert store.get_run(second).data.tags["mlflow.parentRunId"] == project_run


def test_studies_inside_a_run_are_its_children(store: MlflowClient) -> None:
    with mlflow.start_run() as outer:
        first, second = search(), search()
    assert first != second
    for run_id in (first, second):
        assert store.get_run(run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id


def test_trials_carry_user_and_source(store: MlflowClient) -> None:
    run = store.get_run(read_trials(search())["run_id"][0])
    assert run.data.tags["mlflow.user"]
    assert run.data.tags["mlflow.source.name"]
    assert run.info.run_name == "trial 000 max_depth=1"


def test_the_study_knows_the_commit_of_the_folder_it_ran_in(store: MlflowClient, tmp_path: Path) -> None:
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert store.get_run(search()).data.tags["mlflow.source.git.commit"] == head.stdout.strip()


def test_a_project_that_fails_early_ends_its_run(store: MlflowClient, project_run: str) -> None:
    end_run_failed("no such study file")
    run = store.get_run(project_run)
    assert run.info.status == "FAILED"
    assert run.data.tags["mlflow_hpo.error"] == "no such study file"
    end_run_failed("nothing to end")


def test_what_is_no_study_is_told_so(store: MlflowClient) -> None:
    with pytest.raises(NotFoundError, match="No run 'abc'"):
        read_trials("abc")
    with mlflow.start_run() as run:
        pass
    with pytest.raises(NotFoundError, match="is not the run of a study"):
        best_trial(run.info.run_id)
