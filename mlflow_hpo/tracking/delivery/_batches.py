"""What is to be written into each run, gathered so that a run costs one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from mlflow_hpo.tracking.delivery._errors import passes
from mlflow_hpo.tracking.records import Logged


@dataclass
class _Batch:
    params: list[Param] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


class Batches:
    """Gathers params, metrics and tags by run, and writes them.

    Parameters
    ----------
    client : MlflowClient
    refuse : callable
        Takes the words and the error of what the store refuses for good.
    """

    def __init__(self, client: MlflowClient, refuse: Callable[[str, Exception], None]) -> None:
        self._client = client
        self._refuse = refuse
        self._batches: dict[str, _Batch] = {}
        self._known_steps: dict[tuple[str, str], set[int]] = {}
        self._resumed: set[str] = set()

    def resume(self, run_id: str) -> None:
        """Note that a run has metrics from an earlier start: no step of a curve is written twice."""
        self._resumed.add(run_id)

    def add(self, run_id: str, logged: Logged) -> None:
        """Gather what belongs into a run."""
        batch = self._batches.setdefault(run_id, _Batch())
        batch.params += [Param(*param) for param in logged.params.items()]
        batch.tags.update(logged.tags)
        batch.metrics += [
            Metric(name, value, logged.time_ms, logged.step)
            for name, value in logged.metrics.items()
            if not self._is_known(run_id, name, logged.step)
        ]

    def share(self, run_id: str, model_id: str, metrics: Mapping[str, float], time_ms: int) -> None:
        """Have metrics that belong into a run count for a model, too: MLflow writes one that names a model to both."""
        batch = self._batches.setdefault(run_id, _Batch())
        shared = [Metric(name, value, time_ms, 0, model_id=model_id) for name, value in metrics.items()]
        keys = {(metric.key, metric.timestamp) for metric in shared}
        others = [metric for metric in batch.metrics if metric.model_id or (metric.key, metric.timestamp) not in keys]
        batch.metrics = others + shared

    def write(self, run_id: str | None = None) -> None:
        """Write what was gathered, of one run or of all; what cannot be written now stays."""
        for waiting in [run_id] if run_id else list(self._batches):
            batch = self._batches.get(waiting)
            if batch is not None:
                self._write(waiting, batch)
                del self._batches[waiting]

    def _write(self, run_id: str, batch: _Batch) -> None:
        tags = [RunTag(*tag) for tag in batch.tags.items()]
        try:
            self._client.log_batch(run_id, metrics=batch.metrics, params=batch.params, tags=tags)
        except Exception as error:
            if passes(error):
                raise
            self._write_singly(run_id, batch.params, batch.metrics, tags)

    def _write_singly(self, run_id: str, params: list[Param], metrics: list[Metric], tags: list[RunTag]) -> None:
        """Find the one that spoils the batch: the store refuses all for it."""
        singles: list[dict[str, Any]] = [
            *({"params": [param]} for param in params),
            *({"metrics": [metric]} for metric in metrics),
            *({"tags": [tag]} for tag in tags),
        ]
        for single in singles:
            try:
                self._client.log_batch(run_id, **single)
            except Exception as error:
                if passes(error):
                    raise
                [(kind, [value])] = single.items()
                self._refuse(f"{kind.removesuffix('s')} {value.key!r} of run {run_id}", error)

    def _is_known(self, run_id: str, name: str, step: int) -> bool:
        if run_id not in self._resumed or "/" not in name:
            return False
        if (run_id, name) not in self._known_steps:
            history = self._client.get_metric_history(run_id, name)
            self._known_steps[run_id, name] = {metric.step for metric in history}
        return step in self._known_steps[run_id, name]
