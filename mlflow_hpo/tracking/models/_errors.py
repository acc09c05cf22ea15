"""The error of a model that cannot be kept."""

from __future__ import annotations

from mlflow_hpo.core.errors import HPOError


class ModelNotSavableError(HPOError):
    """A fitted estimator cannot be kept as a model: it does not predict, or a part of it cannot be written."""
