"""Models as outputs of a run, and what is left on disk when they go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from model_helpers import assert_same_bits, save_estimator
from serving import MLflowServer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.models import LoggedModelRef, delete_logged_model, log_saved_model
from mlflow_hpo.tracking.packing import template_of
from mlflow_hpo.tracking.registry import register_model

X, Y = load_iris(return_X_y=True)
ESTIMATOR = LogisticRegression(max_iter=500).fit(X, Y)
TEMPLATE = template_of(ESTIMATOR, X, Y)


def log(client: MlflowClient, path: Path, estimator: Any = ESTIMATOR, **entries: Any) -> tuple[LoggedModelRef, str]:
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    run = client.create_run(experiment.experiment_id, run_name="trial")
    save_estimator(estimator, path, TEMPLATE)
    experiment_id = experiment.experiment_id
    ref = log_saved_model(client, run.info.run_id, path, name="model", experiment_id=experiment_id, **entries)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(ref.model_id, step=0)])
    return ref, run.info.run_id


def files_of(client: MlflowClient, ref: LoggedModelRef) -> Path:
    return Path(client.get_logged_model(ref.model_id).artifact_location.removeprefix("file://"))


def test_a_logged_model_is_ready_loadable_and_tells_its_run(store: MlflowClient, tmp_path: Path) -> None:
    ref, run_id = log(store, tmp_path / "model", params={"C": "1.0"})
    model = store.get_logged_model(ref.model_id)
    assert model.status == LoggedModelStatus.READY
    assert (model.name, model.source_run_id, model.params) == ("model", run_id, {"C": "1.0"})
    run = store.get_run(run_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [ref.model_id]
    loaded = mlflow.pyfunc.load_model(ref.model_uri)
    assert (loaded.model_id, loaded.metadata.run_id) == (ref.model_id, run_id)
    assert_same_bits(loaded.predict(X), ESTIMATOR.predict(X))
    assert_same_bits(mlflow.pyfunc.load_model(f"runs:/{run_id}/model").predict(X), ESTIMATOR.predict(X))


def test_a_pickle_is_tagged(store: MlflowClient, tmp_path: Path) -> None:
    estimator = make_pipeline(FunctionTransformer(lambda X: X), LogisticRegression(max_iter=500)).fit(X, Y)
    ref, _ = log(store, tmp_path / "model", estimator)
    assert "test_models_logged" in store.get_logged_model(ref.model_id).tags[names.PICKLE]


def test_deleting_frees_the_disk_and_can_be_repeated(store: MlflowClient, tmp_path: Path) -> None:
    ref, _ = log(store, tmp_path / "model")
    files = files_of(store, ref)
    assert (files / "MLmodel").exists()
    delete_logged_model(store, ref.model_id)
    assert not files.exists()
    assert store.search_logged_models([store.get_experiment_by_name("tests").experiment_id]) == []  # type: ignore[union-attr]
    delete_logged_model(store, ref.model_id)


def test_a_registered_model_is_not_deleted(store: MlflowClient, tmp_path: Path) -> None:
    ref, run_id = log(store, tmp_path / "model")
    register_model(
        store, ref, name="iris", alias="champion", score=0.9, metric="accuracy", study_run_id=run_id, params={}
    )
    delete_logged_model(store, ref.model_id)
    assert files_of(store, ref).exists()
    assert_same_bits(mlflow.pyfunc.load_model("models:/iris@champion").predict(X), ESTIMATOR.predict(X))


def test_a_model_whose_files_cannot_be_stored_is_marked_failed(store: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="artifacts"):
        log(store, tmp_path / "model")
    models = store.search_logged_models([store.get_experiment_by_name("tests").experiment_id])  # type: ignore[union-attr]
    assert [model.status for model in models] == [LoggedModelStatus.FAILED]


@pytest.fixture
def server(store: MlflowClient, tmp_path: Path) -> Iterator[MlflowClient]:
    """A client of `mlflow server` that keeps the artifacts itself."""
    with MLflowServer(tmp_path, store=store.tracking_uri) as server:
        client = MlflowClient(tracking_uri=server.uri)
        mlflow.set_tracking_uri(server.uri)
        client.delete_experiment(client.get_experiment_by_name("tests").experiment_id)  # type: ignore[union-attr]
        yield client


@pytest.mark.slow
def test_over_http_with_artifacts_kept_by_the_server(server: MlflowClient, tmp_path: Path) -> None:
    experiment_id = server.create_experiment("served")
    run = server.create_run(experiment_id, run_name="study")
    refs = []
    for number in range(2):
        path = tmp_path / f"model{number}"
        save_estimator(ESTIMATOR, path, TEMPLATE)
        refs.append(log_saved_model(server, run.info.run_id, path, name="model", experiment_id=experiment_id))
    registered = [
        register_model(
            server,
            refs[0],
            name="iris",
            alias="champion",
            score=0.9,
            metric="accuracy",
            study_run_id=run.info.run_id,
            params={"C": 1},
        )
        for _ in range(2)
    ]
    assert [(r.version, r.created, r.alias_moved) for r in registered] == [("1", True, True), ("1", False, False)]
    assert server.get_model_version("iris", "1").source == refs[0].model_uri
    for uri in ("models:/iris@champion", refs[1].model_uri):
        assert_same_bits(mlflow.pyfunc.load_model(uri).predict(X), ESTIMATOR.predict(X))
    for ref in refs:
        delete_logged_model(server, ref.model_id)
    left = {path.parent.parent.name for path in (tmp_path / "served").rglob("MLmodel")}
    assert left == {refs[0].model_id}
