"""Silencing what TensorFlow and MLflow say by themselves. A library changes no environment; the command line may."""

from __future__ import annotations

import logging
import os

_VARIABLES = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # `python -W ignore` for the processes that a search starts, which inherit nothing else.
    "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::FutureWarning",
}
_LOGGERS = ("absl", "alembic", "tensorflow", "mlflow")


def silence() -> None:
    """Silence TensorFlow and MLflow; before either is imported. What is set already stays as it is."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
