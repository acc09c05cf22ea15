"""Optuna with its MLflow callback: the same candidates, put in line for its sampler."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import mlflow
import optuna
from optuna_integration.mlflow import MLflowCallback

from benchmarks.contenders._native import cross_validate, fit
from benchmarks.contenders.contract import Found, Timed
from benchmarks.searches import Choice, Search


def _suggest(trial: optuna.Trial, name: str, dimension: Any) -> Any:
    if isinstance(dimension, Choice):
        return trial.suggest_categorical(name, dimension.values)
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def prepare(search: Search, seed: int, workers: int = 1) -> Timed:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    X, y = search.data()
    folds, space = search.folds(y, seed), search.make_space(seed)
    study = optuna.create_study(study_name="benchmark", direction="maximize")
    for candidate in search.candidates(seed):
        study.enqueue_trial(candidate)
    mlflow.set_experiment("benchmark")
    callback = MLflowCallback(tracking_uri=mlflow.get_tracking_uri(), metric_name="score")
    keras.utils.set_random_seed(seed)

    def objective(trial: optuna.Trial) -> float:
        params = {name: _suggest(trial, name, dimension) for name, dimension in space.items()}
        return cross_validate(search, params, X, y, folds)

    def run() -> Found:
        study.optimize(objective, n_trials=search.n_candidates, n_jobs=workers, callbacks=[callback])
        fit(search, study.best_params, X, y)
        return Found(study.best_value)

    return run
