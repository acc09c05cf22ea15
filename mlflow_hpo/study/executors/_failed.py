"""The outcome of a fold whose process could not finish it: what scikit-learn makes of a fit that raises."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection._validation import _fit_and_score

from mlflow_hpo.core.errors import HPOError
from mlflow_hpo.study.executors.errors import TrialLostError
from mlflow_hpo.study.fold import FoldOutcome, FoldTask


class _Unfittable(BaseEstimator):
    """Raises, when it is fitted, what has ended the real estimator."""

    def __init__(self, error: HPOError) -> None:
        self.error = error

    def fit(self, X: Any, y: Any = None) -> None:
        raise self.error


def failed_outcome(task: FoldTask, error: HPOError, seconds: float = 0.0) -> FoldOutcome:
    """Return the outcome of a fold that did not come to its end.

    scikit-learn's own function makes it, so that error scores, their names and all else are as for a fit that raises;
    with `error_score="raise"` the outcome holds the exception.

    Parameters
    ----------
    task : FoldTask
        The fold.
    error : HPOError
        Why it has no result.
    seconds : float
        How long it ran.
    """
    lost = str(error) if isinstance(error, TrialLostError) else None
    said = "".join(traceback.format_exception_only(error)).strip()
    # No data: what was too much for a worker is not to be copied here.
    nothing = np.empty(0, dtype=int)
    call = {**task.kwargs, "train": nothing, "test": nothing, "fit_params": None, "score_params": None}
    call |= {"parameters": None, "caller": None, "callback_ctx": None}
    try:
        result = _fit_and_score(_Unfittable(error), np.empty((0, 1)), None, **call)
    except HPOError:
        return FoldOutcome(task.trial, task.fold, exception=error, traceback=said, lost=lost)
    known = {
        "fit_error": said,
        "fit_time": seconds,
        "n_test_samples": len(task.kwargs["test"]),
        "parameters": task.kwargs["parameters"],
    }
    result |= {name: value for name, value in known.items() if name in result}
    return FoldOutcome(task.trial, task.fold, result, lost=lost)
