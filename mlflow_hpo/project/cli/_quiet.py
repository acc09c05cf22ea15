"""Silencing what TensorFlow and MLflow say by themselves. A library changes no environment; the command line may."""

from __future__ import annotations

import logging
import os
import warnings

_VARIABLES = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # its links show the password that the address may hold
    # `python -W ignore` for the processes that a search starts, which inherit nothing else.
    "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::FutureWarning",
}
# Whoever reads a study's output cannot act on these.
_WARNINGS = ("Hint: Inferred schema contains integer column",)
_LOGGERS = ("absl", "alembic", "tensorflow", "mlflow")


def silence() -> None:
    """Silence TensorFlow and MLflow; before either is imported. What is set already stays as it is."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
