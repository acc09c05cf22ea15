"""A store for each test: a real sqlite file, with MLflow's and our own process-wide state put back afterwards."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from process_state import INHERITED, forget

EXPERIMENT = "tests"
# Those that take minutes begin first, so that no core waits for them at the end.
LONG_FILES = ["test_sklearn_suite.py", "test_keras_reuse.py", "test_contract.py", "test_dask.py", "test_chaos.py"]
# They take seconds each; the tests that look at them switch them on.
os.environ["MLFLOW_HPO_REPORT"] = "false"
# Two workers fill both cores: threads of BLAS beside them only wait for each other. The workers inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: item.path.name not in LONG_FILES)


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sqlite file with MLflow's schema: making one takes seconds, copying it nothing."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def store(tmp_path: Path, fresh_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """MLflow set up on a store of the test's own, with an experiment whose artifacts are the test's own."""
    database = tmp_path / "mlflow.db"
    shutil.copy(fresh_database, database)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HPO_SPOOL", str(tmp_path / "spool"))
    for variable in INHERITED:
        monkeypatch.delenv(variable, raising=False)
    uri = f"sqlite:///{database}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(tracking_uri=uri)
    client.create_experiment(EXPERIMENT, artifact_location=(tmp_path / "artifacts").as_uri())
    mlflow.set_experiment(EXPERIMENT)
    yield client
    forget()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; return its exit code and what it said."""
    from mlflow_hpo.project import cli
    from mlflow_hpo.project.cli import _quiet

    monkeypatch.setattr(_quiet, "silence", lambda: None)  # it changes the whole process

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return int(str(end.value.code)), said.out, said.err

    return run


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A Dask cluster of two workers that are processes, as on other machines; they can import the test's module."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(request.path.parent), os.environ.get("PYTHONPATH", "")]))
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
        ) as cluster:
            yield cluster
