"""Ray Tune with its MLflow logger, as many trials at a time as workers, which are used again."""

from __future__ import annotations

import logging
import os
import resource
from pathlib import Path
from typing import Any

import keras
import mlflow
import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search import BasicVariantGenerator

from benchmarks.contenders._native import cross_validate, fit
from benchmarks.contenders.contract import Found, Timed
from benchmarks.searches import Choice, Search


def _trial(config: dict[str, Any], search: Search, X: Any, y: Any, folds: Any) -> None:
    score = cross_validate(search, config, X, y, folds)
    tune.report({"score": score, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def _dimension(dimension: Any) -> Any:
    if isinstance(dimension, Choice):
        return tune.choice(list(dimension.values))
    return (tune.loguniform if dimension.log else tune.uniform)(dimension.low, dimension.high)


def prepare(search: Search, seed: int, workers: int = 1) -> Timed:
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    X, y = search.data()
    folds = search.folds(y, seed)
    keras.utils.set_random_seed(seed)
    mlflow.set_experiment("benchmark")
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    logger = MLflowLoggerCallback(tracking_uri=mlflow.get_tracking_uri(), experiment_name="benchmark")
    tuner = tune.Tuner(
        tune.with_parameters(_trial, search=search, X=X, y=y, folds=folds),
        param_space={name: _dimension(dimension) for name, dimension in search.make_space(seed).items()},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=search.n_candidates,
            max_concurrent_trials=workers,
            reuse_actors=True,
            search_alg=BasicVariantGenerator(points_to_evaluate=search.candidates(seed), max_concurrent=workers),
        ),
        run_config=tune.RunConfig(storage_path=str(Path("ray").resolve()), callbacks=[logger], verbose=0),
    )

    def run() -> Found:
        results = tuner.fit()
        best = results.get_best_result()
        fit(search, best.config, X, y)
        memory = max(result.metrics["rss_mb"] for result in results)
        return Found(best.metrics["score"], helpers_mb=memory)

    return run
