"""What all contenders share that are scikit-learn searches."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders.contract import Found
from benchmarks.searches import BATCH_SIZE, Search


def fit_settings(search: Search) -> dict[str, Any]:
    """Return the estimator's parameters; the seed makes every fold's training repeatable."""
    return {"epochs": search.epochs, "batch_size": BATCH_SIZE, "verbose": 0, "random_state": 0}


def found(fitted: Any, search: Search) -> Found:
    """Return what a fitted search has found."""
    by_fold = np.array([fitted.cv_results_[f"split{fold}_test_score"] for fold in range(search.n_folds)])
    return Found(float(fitted.best_score_), by_fold.T.tolist())
