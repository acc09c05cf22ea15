"""Runs that user code begins inside of a trial are tagged with study and trial, by MLflow's own plugin point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points

import mlflow
import pytest
from sklearn.dummy import DummyClassifier
from skopt.space import Real

from mlflow_hpo import GridSearchCV, Tracking, gp_minimize
from mlflow_hpo.core.inside import tags_inside

X, y = [[0.0]] * 8, [0, 1] * 4
TRACKING = Tracking(study="a study", log_models="none")
ALL_THAT_MLFLOW_LOADS = ["mlflow_hpo", "mlflow_hpo.core", "mlflow_hpo.core.inside", "mlflow_hpo.plugin"]
IN_A_PROCESS = """
import json, sys, mlflow
with mlflow.start_run(run_name="of user code") as run:
    pass
print(json.dumps([m for m in sys.modules if m.split(".")[0] in ("mlflow_hpo", "tensorflow", "sklearn", "skopt")]))
"""


class Logs(DummyClassifier):
    def fit(self, X, y):
        with mlflow.start_run(run_name="of user code", nested=True):
            pass
        return super().fit(X, y)


class StartsAProcess(DummyClassifier):
    def fit(self, X, y):
        done = subprocess.run([sys.executable, "-c", IN_A_PROCESS], capture_output=True, text=True, check=True)
        assert sorted(json.loads(done.stdout.splitlines()[-1])) == ALL_THAT_MLFLOW_LOADS
        return super().fit(X, y)


def runs_of_user_code(store):
    experiment = store.get_experiment_by_name("tests").experiment_id
    found = store.search_runs([experiment], "attributes.run_name = 'of user code'", order_by=["start_time ASC"])
    return [{name: value for name, value in run.data.tags.items() if "inside" in name} for run in found]


def inside(search, trial=None):
    tags = {"mlflow_hpo.inside.study": "a study", "mlflow_hpo.inside.study_run": search.study_.run_id}
    return tags if trial is None else {**tags, "mlflow_hpo.inside.trial": str(trial)}


def test_mlflow_finds_the_plugin():
    (ours,) = [point for point in entry_points(group="mlflow.run_context_provider") if point.name == "mlflow_hpo"]
    assert ours.load().__name__ == "TrialContext"


def test_a_run_inside_a_fold_and_one_inside_the_refit(store):
    search = GridSearchCV(Logs(), {"constant": [0, 1]}, cv=2, tracking=TRACKING).fit(X, y)
    expected = [inside(search, trial) for trial in (0, 0, 1, 1)] + [inside(search)]
    assert runs_of_user_code(store) == expected
    assert tags_inside() == {}


def test_a_run_inside_an_objective(store):
    def objective(point):
        with mlflow.start_run(run_name="of user code", nested=True):
            return point[0]

    result = gp_minimize(
        objective, [Real(0, 1, name="x")], n_calls=2, n_initial_points=2, random_state=0, tracking=TRACKING
    )
    assert [tags["mlflow_hpo.inside.trial"] for tags in runs_of_user_code(store)] == ["0", "1"]
    assert result.study.run_id == runs_of_user_code(store)[0]["mlflow_hpo.inside.study_run"]


@pytest.mark.slow
def test_a_run_of_a_process_that_a_fold_has_started(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    one_split = [([0, 1], [2, 3])]
    search = GridSearchCV(StartsAProcess(), {"constant": [0]}, cv=one_split, refit=False, tracking=TRACKING)
    search.fit(X, y)
    assert runs_of_user_code(store) == [inside(search, 0)]
    assert "MLFLOW_HPO_INSIDE" not in os.environ


def test_a_run_outside_of_a_study_is_left_alone(store):
    with mlflow.start_run(run_name="of user code"):
        pass
    assert runs_of_user_code(store) == [{}]
