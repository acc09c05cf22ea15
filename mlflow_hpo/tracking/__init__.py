"""Where studies are kept: their runs in MLflow, the one writer, models, the registry."""

from mlflow_hpo.tracking.outcome import register_best
from mlflow_hpo.tracking.read import TrialRecord, best_trial, read_trials
from mlflow_hpo.tracking.runs import end_run_failed

__all__ = ["TrialRecord", "best_trial", "end_run_failed", "read_trials", "register_best"]
