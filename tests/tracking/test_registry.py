"""Registration: one version a model, an alias only for better scores."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from model_helpers import save_estimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.tracking.candidate import MODEL_ID, PARAMS, SCORE, STUDY_RUN
from mlflow_hpo.tracking.models import LoggedModelRef, log_saved_model
from mlflow_hpo.tracking.packing import template_of
from mlflow_hpo.tracking.registry import Registration, register_model

X, Y = load_iris(return_X_y=True)
ESTIMATOR = LogisticRegression(max_iter=500).fit(X, Y)
TEMPLATE = template_of(ESTIMATOR, X, Y)


class Study:
    """A run that logs models and registers them."""

    def __init__(self, client: MlflowClient, folder: Path) -> None:
        self.client = client
        self.experiment_id = client.get_experiment_by_name("tests").experiment_id  # type: ignore[union-attr]
        self.run_id = client.create_run(self.experiment_id, run_name="my study").info.run_id
        self._folder = folder
        self._count = 0

    def model(self) -> LoggedModelRef:
        self._count += 1
        path = self._folder / f"model{self._count}"
        save_estimator(ESTIMATOR, path, TEMPLATE)
        return log_saved_model(self.client, self.run_id, path, name="model", experiment_id=self.experiment_id)

    def register(self, model: LoggedModelRef | str, score: float, **changes: Any) -> Registration:
        options = {"name": "iris", "alias": "champion", "metric": "accuracy", "params": {"C": 1.0}, **changes}
        return register_model(self.client, model, score=score, study_run_id=self.run_id, **options)

    def champion(self) -> str:
        return str(self.client.get_model_version_by_alias("iris", "champion").version)


@pytest.fixture
def study(store: MlflowClient, tmp_path: Path) -> Study:
    return Study(store, tmp_path)


def test_the_first_version(study: Study) -> None:
    model = study.model()
    registration = study.register(model, 0.9, params={"C": 0.5, "kernel": "a|b"}, description="For *Friday*.")
    assert (registration.name, registration.version, registration.created) == ("iris", "1", True)
    assert registration.alias_moved
    version = study.client.get_model_version("iris", "1")
    assert version.run_id == study.run_id
    assert version.tags[MODEL_ID] == model.model_id
    assert version.tags[STUDY_RUN] == study.run_id
    assert float(version.tags[SCORE]) == 0.9
    assert version.tags["mlflow_hpo.metric"] == "accuracy"
    assert json.loads(version.tags[PARAMS]) == {"C": "0.5", "kernel": "a|b"}
    assert version.description.splitlines() == [
        "For *Friday*.",
        "",
        f"**accuracy = 0.9**: the best of study *my study* (run `{study.run_id}`).",
        "",
        "| parameter | value |",
        "|---|---|",
        "| C | 0.5 |",
        "| kernel | a\\|b |",
    ]
    assert mlflow.pyfunc.load_model("models:/iris@champion").predict(X[:1]).tolist() == [0]


def test_the_alias_moves_to_better_scores_only(study: Study) -> None:
    moved = [study.register(study.model(), score).alias_moved for score in (0.8, 0.7, 0.8, math.nan, 0.9)]
    assert moved == [True, False, False, False, True]
    assert study.champion() == "5"


def test_smaller_can_be_better(study: Study) -> None:
    moved = [
        study.register(study.model(), s, metric="loss", greater_is_better=False).alias_moved for s in (2.0, 3.0, 1.0)
    ]
    assert moved == [True, False, True]


def test_nan_gets_no_alias_even_where_nobody_has_it(study: Study) -> None:
    registration = study.register(study.model(), math.nan)
    assert (registration.created, registration.alias_moved) == (True, False)
    assert "NaN" in registration.reason
    assert study.register(study.model(), 0.1).alias_moved


def test_another_metric_is_not_compared_unless_promoted(study: Study) -> None:
    study.register(study.model(), 0.9)
    other = study.model()
    refused = study.register(other, 99.0, metric="f1")
    assert not refused.alias_moved
    assert "'f1'" in refused.reason
    assert "'accuracy'" in refused.reason
    promoted = study.register(other, 99.0, metric="f1", promote=True)
    assert (promoted.version, promoted.created, promoted.alias_moved) == (refused.version, False, True)
    assert study.champion() == promoted.version


def test_a_version_registered_by_other_means_keeps_its_alias(study: Study) -> None:
    study.client.create_registered_model("iris")
    study.client.create_model_version("iris", source=study.model().model_uri)
    study.client.set_registered_model_alias("iris", "champion", "1")
    registration = study.register(study.model(), 1.0)
    assert (registration.version, registration.alias_moved) == ("2", False)
    assert "has no score" in registration.reason


def test_the_same_model_is_never_registered_twice(study: Study) -> None:
    better = study.model()
    study.register(better, 0.9, alias="challenger")
    study.register(study.model(), 0.5)
    again = study.register(better.model_id, 0.9)
    assert (again.version, again.created, again.alias_moved) == ("1", False, True)
    assert len(study.client.search_model_versions("name = 'iris'")) == 2
    assert study.register(better, 0.9).alias_moved is False
    assert study.register(better, 0.9, name="another").created


def test_a_store_that_is_not_the_process_wide_one(study: Study, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/elsewhere.db")
    assert study.register(study.model(), 0.9).alias_moved
    mlflow.set_tracking_uri(study.client.tracking_uri)
    assert mlflow.pyfunc.load_model("models:/iris@champion").predict(X[:1]).tolist() == [0]


@pytest.mark.parametrize("name", ["a/b", "a:b", "", "  ", "..", "x" * 300, "'\""])
def test_a_name_that_mlflow_would_refuse_writes_nothing(study: Study, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="registered"):
        study.register("m-unknown", 0.9, name=name)
    assert study.client.search_registered_models() == []


@pytest.mark.parametrize("alias", ["with space", "v12", "latest", "", "a" * 256])
def test_an_alias_that_mlflow_would_refuse_writes_nothing(study: Study, alias: str) -> None:
    with pytest.raises(InvalidArgumentError, match="alias"):
        study.register("m-unknown", 0.9, alias=alias)
    assert study.client.search_registered_models() == []


@pytest.mark.parametrize("name", ["my model", "it's", "ünï-cödé 1.0"])
def test_names_that_mlflow_takes(study: Study, name: str) -> None:
    model = study.model()
    assert study.register(model, 0.9, name=name).created
    assert not study.register(model, 0.9, name=name).created


def test_long_parameters_stay_within_mlflows_limits(study: Study) -> None:
    study.register(study.model(), 0.9, params={f"p{i}": "x" * 7000 for i in range(40)})
    version = study.client.get_model_version("iris", "1")
    assert len(version.description) <= 5000
    assert len(version.tags[PARAMS]) <= 5000
    assert set(json.loads(version.tags[PARAMS])) == {f"p{i}" for i in range(40)}


SCRIPT = """
import sys
from mlflow import MlflowClient
from mlflow_hpo.tracking.registry import register_model
uri, run_id, score, *models = sys.argv[1:]
for number, model in enumerate(models):
    register_model(MlflowClient(tracking_uri=uri), model, name="iris", alias="champion", score=float(score) + number,
                   metric="accuracy", study_run_id=run_id, params={})
"""


def test_processes_that_register_at_once(study: Study) -> None:
    shared = [study.model().model_id for _ in range(3)]
    arguments = [[str(start), study.model().model_id, *shared] for start in (1, 10)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, study.client.tracking_uri, study.run_id, *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rest in arguments
    ]
    for process in processes:
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0, output.decode()[-2000:]
    versions = study.client.search_model_versions("name = 'iris'")
    assert sorted(int(version.version) for version in versions) == [1, 2, 3, 4, 5]
    assert len({version.tags[MODEL_ID] for version in versions}) == 5
