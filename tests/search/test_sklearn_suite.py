"""scikit-learn's own tests of its searches pass for ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

MODULES = ["sklearn.model_selection.tests.test_search", "sklearn.model_selection.tests.test_successive_halving"]

# Each with its cause.
EXCEPTIONS = [
    # Asserts that a search has no other public attribute than those of a bare BaseSearchCV: ours has `study_`.
    "test_custom_run_search",
]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_scikit_learns_tests_pass(store: MlflowClient, tmp_path: Path) -> None:
    skipped = " and ".join(f"not {name}" for name in EXCEPTIONS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "replace_searches", "-p", "no:cacheprovider", "-k", skipped]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [*command, "--pyargs", *MODULES], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 240
    studies = store.search_runs(["0"], "tags.`mlflow_hpo.kind` = 'study'", max_results=1000)
    assert len(studies) > 200
    assert not [run for run in studies if run.info.status == "RUNNING"]
