"""One model format for trials' models and the refitted best: an MLflow model that needs nothing but PyPI to load."""

from mlflow_hpo.tracking.models._directory import save_estimator, save_packed
from mlflow_hpo.tracking.models._errors import ModelNotSavableError
from mlflow_hpo.tracking.models._logged import LoggedModelRef, delete_logged_model, log_saved_model
from mlflow_hpo.tracking.models._packed import PackedModel, pack_estimator
from mlflow_hpo.tracking.models._template import ModelTemplate

__all__ = [
    "LoggedModelRef",
    "ModelNotSavableError",
    "ModelTemplate",
    "PackedModel",
    "delete_logged_model",
    "log_saved_model",
    "pack_estimator",
    "save_estimator",
    "save_packed",
]
