"""scikit-learn's own tests of its searches pass for ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

MODULES = ["sklearn.model_selection.tests.test_search", "sklearn.model_selection.tests.test_successive_halving"]

# Each with its cause.
EXCEPTIONS = [
    # Asserts that a search has no other public attribute than those of a bare BaseSearchCV: ours has `study_`.
    "test_custom_run_search",
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of runs wait on a disk thousands of times."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_scikit_learns_tests_pass(fresh_database: Path, folder: Path) -> None:
    shutil.copy(fresh_database, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    skipped = " and ".join(f"not {name}" for name in EXCEPTIONS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "replace_searches", "-p", "no:cacheprovider", "-k", skipped]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(
        [*command, "--pyargs", *MODULES], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 240
    studies = MlflowClient(tracking_uri=uri).search_runs(["0"], "tags.`mlflow_hpo.kind` = 'study'", max_results=1000)
    assert len(studies) > 200
    assert not [run for run in studies if run.info.status == "RUNNING"]
