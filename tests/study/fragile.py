"""What can happen to a process while it runs a fold: as estimators, and as functions in the place of scikit-learn's."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from mlflow_hpo.study.fold import FoldTask


class Fragile(ClassifierMixin, BaseEstimator):
    """Predicts the training data's most frequent class, unless something happens to its process."""

    def __init__(self, behaviour: str = "fine", marker: str = "", held: Any = None) -> None:
        self.behaviour = behaviour
        self.marker = marker
        self.held = held

    def fit(self, X: Any, y: Any) -> Fragile:
        happen(self.behaviour, self.marker)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_frequent_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.most_frequent_)


def happen(behaviour: str, marker: str = "") -> None:
    if behaviour == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == "kill once":
        if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == "kill parent":  # the Dask worker that the process belongs to
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait()
    elif behaviour == "kill parent once":
        if not Path(marker).exists():
            Path(marker).touch()
            happen("kill parent")
    elif behaviour == "segfault":
        ctypes.string_at(0)
    elif behaviour == "hang":
        announce(marker)
        threading.Event().wait()
    elif behaviour == "hang once":
        if not list(Path(marker).iterdir()):
            happen("hang", marker)
    elif behaviour == "raise":
        raise ValueError("no such luck")
    elif behaviour == "memory":
        raise MemoryError
    elif behaviour == "quit":
        sys.exit(3)


def announce(folder: str) -> None:
    if folder:
        (Path(folder) / str(os.getpid())).touch()


class PickyError(Exception):
    """Pickles, and does not come back."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def fold(estimator: Any, X: Any, y: Any, *, parameters: Any, **kwargs: Any) -> dict[str, Any]:
    """Stand in for `_fit_and_score`."""
    happen(parameters.get("behaviour", "fine"), parameters.get("marker", ""))
    if parameters.get("behaviour") == "unpicklable result":
        return {"test_scores": threading.Lock(), "fit_error": None}
    if parameters.get("behaviour") == "picky":
        raise PickyError("one", "two")
    return {"test_scores": 1.0, "fit_error": None, "pid": os.getpid(), "X": seen(X), "y": seen(y)}


def seen(data: Any) -> dict[str, Any]:
    array = data if isinstance(data, np.ndarray) else getattr(data, "data", None)
    return {
        "type": type(data).__name__,
        "flags": (data.flags.writeable, data.flags.f_contiguous) if isinstance(data, np.ndarray) else None,
        "sum": float(np.sum(array)) if isinstance(array, np.ndarray) and array.dtype.kind == "f" else None,
        "id": id(data),
        "environment": {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")},
        "cwd": os.getcwd(),
    }


def hear(event: Any) -> bool:
    return True


def task(behaviour: str = "fine", trial: int = 0, fold_number: int = 0, X: Any = None, **given: Any) -> FoldTask:
    kwargs = {
        "parameters": {"behaviour": behaviour, **given.pop("parameters", {})},
        "scorer": None,
        "train": np.arange(3),
        "test": np.arange(2),
        "verbose": 0,
        "fit_params": None,
        "score_params": None,
        "error_score": np.nan,
        "return_times": True,
        "return_n_test_samples": True,
        **given,
    }
    return FoldTask(trial, fold_number, fold, (BaseEstimator(), X, None), kwargs, hear, keep_model=False)
