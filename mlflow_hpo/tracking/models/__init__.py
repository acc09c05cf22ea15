"""One model format for trials' models and the refitted best: an MLflow model that needs nothing but PyPI to load."""

from mlflow_hpo.tracking.models._directory import PICKLE_KEY, pack_estimator, save_estimator, unpack_model
from mlflow_hpo.tracking.models._errors import ModelNotSavableError
from mlflow_hpo.tracking.models._logged import LoggedModelRef, delete_logged_model, log_saved_model
from mlflow_hpo.tracking.models._template import ModelTemplate

__all__ = [
    "PICKLE_KEY",
    "LoggedModelRef",
    "ModelNotSavableError",
    "ModelTemplate",
    "delete_logged_model",
    "log_saved_model",
    "pack_estimator",
    "save_estimator",
    "unpack_model",
]
