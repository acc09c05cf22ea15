"""The data a study was run on, as a data set input of its run: name, shape, schema and digest."""

from __future__ import annotations

import logging
from typing import Any

import joblib
import numpy as np
import pandas as pd
from mlflow.data.dataset import Dataset
from mlflow.data.numpy_dataset import from_numpy
from mlflow.data.pandas_dataset import from_pandas

from mlflow_hpo.tracking.records import DataSeen

_logger = logging.getLogger(__name__)

_DIGEST_LENGTH = 16


def data_record(X: Any, y: Any, name: str | None = None) -> DataSeen | None:
    """Return what is written about the training data; None for data that MLflow cannot describe.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
    name : str or None
        What the data set is called; MLflow's default where None.
    """
    try:
        entity = _describe(X, y, name)._to_mlflow_entity()
    except Exception:
        _logger.debug("MLflow cannot describe the data", exc_info=True)
        return None
    return DataSeen(dict(entity))


def _describe(X: Any, y: Any, name: str | None) -> Dataset:
    dataset: Dataset
    # MLflow's own digest reads the first 10,000 values only.
    digest = joblib.hash((X, y))[:_DIGEST_LENGTH]
    if isinstance(X, pd.DataFrame):
        dataset = from_pandas(_with_target(X, y), targets=_target_name(y), name=name, digest=digest)
    else:
        targets: Any = None if y is None else np.asarray(y)
        dataset = from_numpy(np.asarray(X), targets=targets, name=name, digest=digest)
    return dataset


def _target_name(y: Any) -> str | None:
    if y is None or np.ndim(y) != 1:
        return None
    return str(getattr(y, "name", None) or "target")


def _with_target(X: pd.DataFrame, y: Any) -> pd.DataFrame:
    target = _target_name(y)
    return X if target is None else X.assign(**{target: np.asarray(y)})
