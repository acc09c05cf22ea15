"""One model format for trials' models and the refitted best: an MLflow model that needs nothing but PyPI to load.

What is in here imports neither scikit-learn nor Keras unless a model needs it: it is the process that delivers that
writes models, and two seconds of a core are half of a short search.
"""

from mlflow_hpo.tracking.models._directory import save_packed
from mlflow_hpo.tracking.models._errors import ModelNotSavableError
from mlflow_hpo.tracking.models._logged import LoggedModelRef, delete_logged_model, log_saved_model
from mlflow_hpo.tracking.models._packed import PackedModel, PackedNetwork, SafeForm
from mlflow_hpo.tracking.models._safe import safe_form
from mlflow_hpo.tracking.models._template import ModelTemplate
from mlflow_hpo.tracking.models._travelling import LOADER_MODULE, loader

__all__ = [
    "LOADER_MODULE",
    "LoggedModelRef",
    "ModelNotSavableError",
    "ModelTemplate",
    "PackedModel",
    "PackedNetwork",
    "SafeForm",
    "delete_logged_model",
    "loader",
    "log_saved_model",
    "safe_form",
    "save_packed",
]
