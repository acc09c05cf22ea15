"""The plain search with MLflow's autologging on."""

from __future__ import annotations

import mlflow

from benchmarks.contenders import plain
from benchmarks.contenders.contract import Timed
from benchmarks.searches import Search


def prepare(search: Search, seed: int) -> Timed:
    mlflow.set_experiment("benchmark")
    mlflow.sklearn.autolog()
    return plain.prepare(search, seed)
