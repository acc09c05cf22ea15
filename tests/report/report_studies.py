"""Trials as MLflow keeps them, written without a search: any number, with any values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from mlflow_hpo.tracking import names

BEGIN = 1_700_000_000_000
SECOND = 1000


@dataclass
class Written:
    """A trial to be written."""

    params: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    status: str = "FINISHED"
    error: str | None = None
    traceback: str | None = None
    curves: Mapping[str, list[float]] = field(default_factory=dict)


WriteStudy = Callable[..., str]


def write_trial(store: MlflowClient, experiment: str, study: str, number: int, trial: Written) -> str:
    begin = BEGIN + number * SECOND
    tags = {names.KIND: "trial", names.TRIAL: str(number), names.PARENT_RUN_ID: study}
    if trial.error is not None:
        tags[names.ERROR] = trial.error
    run_id: str = store.create_run(experiment, start_time=begin, run_name=f"trial {number}", tags=tags).info.run_id
    metrics = [Metric(key, value, begin, 0) for key, value in trial.scores.items()]
    metrics += [
        Metric(key, value, begin, step) for key, values in trial.curves.items() for step, value in enumerate(values)
    ]
    store.log_batch(run_id, metrics=metrics, params=[Param(key, str(value)) for key, value in trial.params.items()])
    if trial.traceback is not None:
        store.log_text(run_id, trial.traceback, "traceback.txt")
    if trial.status != "RUNNING":
        store.set_terminated(run_id, trial.status, begin + SECOND)
    return run_id


def folds(*scores: float) -> dict[str, float]:
    """Return the metrics of a trial with these scores of its folds."""
    mean = sum(scores) / len(scores)
    spread = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5
    by_fold = {f"split{fold}_test_score": score for fold, score in enumerate(scores)}
    return {**by_fold, "mean_test_score": mean, "std_test_score": spread, "mean_fit_time": 0.25}


def grid(n: int = 12) -> list[Written]:
    """Return trials over a grid of two parameters."""
    return [
        Written({"C": 10.0 ** (i % 4 - 2), "kind": "ab"[i % 2]}, folds(0.7 + 0.02 * (i % 4), 0.72 + 0.01 * (i % 2)))
        for i in range(n)
    ]
