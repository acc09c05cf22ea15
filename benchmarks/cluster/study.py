"""The study that is measured: folds that sleep, and tell when they ended."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin

from mlflow_hpo import RandomizedSearchCV, Tracking
from mlflow_hpo.core.reporting import current_reporter

N_FOLDS = 5
N_EPOCHS = 2


class Sleeping(ClassifierMixin, BaseEstimator):
    """Sleeps for as long as a network would train, epoch by epoch."""

    def __init__(self, seconds: float = 1.0, rate: float = 0.0) -> None:
        self.seconds = seconds
        self.rate = rate

    def fit(self, X: Any, y: Any) -> Sleeping:
        reporter = current_reporter()
        number = reporter.begin_fit(None)
        for epoch in range(N_EPOCHS):
            time.sleep(self.seconds / N_EPOCHS)
            reporter.end_epoch(number, epoch, {"loss": 1.0 / (epoch + 1), "val_loss": self.rate})
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


def score(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    return {"accuracy": float((estimator.predict(X) == y).mean()), "ended": time.time()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scheduler")
    parser.add_argument("n_trials", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    mlflow.set_experiment("cluster")
    X, y = np.random.default_rng(0).normal(size=(200, 10)), np.arange(200) % 2
    search = RandomizedSearchCV(
        Sleeping(arguments.seconds),
        {"rate": uniform()},
        n_iter=arguments.n_trials,
        cv=N_FOLDS,
        scoring=score,
        refit=False,
        random_state=0,
        tracking=Tracking(backend="dask", scheduler=arguments.scheduler, log_models="none"),
    )
    begin = time.time()
    search.fit(X, y)
    ends = [search.cv_results_[f"split{fold}_test_ended"].tolist() for fold in range(N_FOLDS)]
    arguments.results.write_text(json.dumps({"begin": begin, "end": time.time(), "ends": ends}))


if __name__ == "__main__":
    main()
