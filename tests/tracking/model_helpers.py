"""Running saved models where neither mlflow_hpo nor the tests' own modules can be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from mlflow_hpo.tracking.models import ModelTemplate, save_packed
from mlflow_hpo.tracking.packing import pack_estimator

# Joblib carries the data, so that DataFrames arrive as they were.
_SCRIPT = """
import importlib.abc, json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mlflow_hpo", "tests", *json.loads(sys.argv[2])}:
            raise ModuleNotFoundError("blocked: " + name)

sys.meta_path.insert(0, Blocker())
import joblib, mlflow
answers = []
for path, data, method in joblib.load(sys.argv[1]):
    model = mlflow.pyfunc.load_model(path)
    answers.append(model.predict(data, params={"predict_method": method}))
assert "mlflow_hpo" not in sys.modules
joblib.dump(answers, sys.argv[1])
"""


def save_estimator(estimator: Any, path: Path, template: ModelTemplate, **options: Any) -> None:
    """Write a fitted estimator as a complete MLflow model."""
    save_packed(pack_estimator(estimator, template), path, **options)


def predict_elsewhere(
    questions: list[tuple[Path, Any, str]], scratch: Path, blocked: tuple[str, ...] = ()
) -> list[Any]:
    """Answer (model directory, data, method) in a fresh process; `blocked` modules cannot be imported there either."""
    exchange = scratch / "exchange.joblib"
    joblib.dump([(str(path), data, method) for path, data, method in questions], exchange)
    command = [sys.executable, "-I", "-c", _SCRIPT, str(exchange), json.dumps(blocked)]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[Any] = joblib.load(exchange)
    return answers


def assert_same_bits(left: Any, right: Any) -> None:
    left, right = np.asarray(left), np.asarray(right)
    assert left.dtype == right.dtype
    np.testing.assert_array_equal(left, right)
