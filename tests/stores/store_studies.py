"""What the studies of these tests train and how they are scored: epochs are reported, a fold can be interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlflow_hpo.core.reporting import current_reporter

X, y = load_iris(return_X_y=True)
GRID = {"logisticregression__C": [0.01, 1.0, 100.0, 0.1]}
EPOCHS = 3
# More than a store keeps of a text, a letter that PostgreSQL has not, half a letter.
WORDS = "größer als 网格 \x00 \udcff " + "é" * 9000


def pipeline() -> Pipeline:
    """Return an estimator whose models are kept without pickles."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


class Folds:
    """The folds of a study, counted in a file: what a digest sees of the scoring is not to change with their number."""

    def __init__(self, file: Path) -> None:
        self._file = file
        os.environ["FOLDS_FILE"] = str(file)
        self.restart()

    def restart(self, stop: int = 0) -> None:
        """Forget those before, and interrupt the one with a number."""
        self._file.write_text("")
        os.environ["FOLDS_STOP"] = str(stop)

    def __len__(self) -> int:
        return len(self._file.read_text())


def score(estimator: Any, X: Any, y: Any) -> float:
    """Return the accuracy; report epochs on the way, and be interrupted."""
    file = Path(os.environ["FOLDS_FILE"])
    file.write_text(folds := file.read_text() + "x")
    if len(folds) == int(os.environ["FOLDS_STOP"]):
        raise KeyboardInterrupt
    reporter = current_reporter()
    if reporter is not None:
        fit = reporter.begin_fit(estimator)
        for epoch in range(EPOCHS):
            reporter.end_epoch(fit, epoch, {"loss": estimator.C / (epoch + 1), "gap": np.nan, "ratio": np.inf})
    return float(estimator.score(X, y))
