"""What MLflow and we keep for the whole process."""

from __future__ import annotations

import os

import mlflow

from mlflow_hpo.tracking import runs

# What MLflow hands down to child processes.
INHERITED = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")


def forget() -> None:
    """Put it all back, so that the next test does not see it."""
    while mlflow.active_run():
        mlflow.end_run()
    runs._taken_over.clear()
    mlflow.tracking.fluent._active_experiment_id = None
    mlflow.set_tracking_uri("")
    for variable in INHERITED:
        os.environ.pop(variable, None)
