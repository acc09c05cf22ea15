"""The one writer of a study: a thread that takes its events, in order, and writes them into MLflow in batches.

sqlite and HTTP stores are slowest at many small writes, and the training thread must not wait for either. So events are
put on a queue; the writer gathers what comes within a moment, and writes params, metrics and tags of each run at once.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking.context import registry as context

from mlflow_hpo.core.events import BestChanged, FoldEnded, StudyEvent, TrialEnded, TrialStarted
from mlflow_hpo.core.reporting import EpochEnded
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.keeper import ModelKeeper
from mlflow_hpo.tracking.runs import StudyRun

_logger = logging.getLogger(__name__)

# Each write costs the training thread some of its time: Python runs one of the two at once. A second is live enough.
_LINGER_SECONDS = 1.0
_CLOSE = object()


@dataclass
class _Pending:
    """What is to be written into one run, in one batch."""

    params: list[Param] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)


class Writer:
    """Writes what happens in a study into its run and its trials' runs.

    Parameters
    ----------
    client : MlflowClient
        Connected to the store that has `run`.
    run : StudyRun
        The study's run.
    keeper : ModelKeeper
        Keeps the trials' models.
    """

    def __init__(self, client: MlflowClient, run: StudyRun, keeper: ModelKeeper) -> None:
        self.failures = 0
        self._client = client
        self._run = run
        self._keeper = keeper
        self._tags = {**context.resolve_tags(), names.PARENT_RUN_ID: run.run_id, names.KIND: "trial"}
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._run_ids: dict[int, str] = {}
        self._pending: defaultdict[str, _Pending] = defaultdict(_Pending)
        self._thread = threading.Thread(target=self._work, name="mlflow-hpo-writer", daemon=True)
        self._thread.start()

    def put(self, event: StudyEvent | Callable[[], object]) -> None:
        """Hand over an event, or a call for the writer's thread; returns at once, from any thread."""
        self._queue.put(event)

    def flush(self) -> None:
        """Wait until all that was handed over is written."""
        written = threading.Event()
        self._queue.put(written)
        written.wait()

    def trial_run_id(self, trial: int) -> str:
        """Return the run of a trial that has been started, waiting until it exists."""
        if trial not in self._run_ids:
            self.flush()
        return self._run_ids[trial]

    def close(self) -> None:
        """Write all that was handed over, and end the thread."""
        self._queue.put(_CLOSE)
        self._thread.join()

    def _work(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            waiting = [item for item in batch if isinstance(item, threading.Event)]
            for event in batch:
                if not isinstance(event, threading.Event):
                    self._attempt(self._apply, event)
            self._write_pending()
            for written in waiting:
                written.set()

    def _next_batch(self) -> tuple[list[Any], bool]:
        """Wait for something to do, then gather what comes within a moment; nobody who waits is kept waiting."""
        batch: list[Any] = []
        timeout: float | None = None
        deadline = 0.0
        while True:
            try:
                item = self._queue.get(timeout=timeout)
            except queue.Empty:
                return batch, True
            if item is _CLOSE:
                return batch, False
            batch.append(item)
            if isinstance(item, threading.Event):
                return batch, True
            deadline = deadline or time.monotonic() + _LINGER_SECONDS
            timeout = max(0.0, deadline - time.monotonic())

    def _attempt(self, write: Callable[..., object], *args: Any) -> None:
        try:
            write(*args)
        except Exception:
            self.failures += 1
            _logger.warning("Could not write to %s: %s", self._run.tracking_uri, _describe(args), exc_info=True)

    @singledispatchmethod
    def _apply(self, event: Any) -> None:
        event()

    @_apply.register
    def _(self, event: TrialStarted) -> None:
        tags = {**self._tags, **event.tags, names.TRIAL: str(event.trial)}
        run = self._client.create_run(self._run.experiment_id, event.time_ms, tags, event.name)
        self._run_ids[event.trial] = run.info.run_id
        self._pending[run.info.run_id].params += [
            Param(names.key(name), names.param_value(value)) for name, value in event.params.items()
        ]

    @_apply.register
    def _(self, event: EpochEnded) -> None:
        values = {_curve_prefix(event) + name: value for name, value in event.metrics.items()}
        self._gather(event.trial, values, event, event.epoch)

    @_apply.register
    def _(self, event: FoldEnded) -> None:
        self._gather(event.trial, event.metrics, event)

    @_apply.register
    def _(self, event: TrialEnded) -> None:
        run_id = self._run_ids[event.trial]
        self._gather(event.trial, event.metrics, event)
        if event.error:
            self._attempt(self._log_error, run_id, event.error)
        self._attempt(self._write_batch, run_id, self._pending.pop(run_id, _Pending()))
        self._attempt(self._keeper.keep, run_id, event)
        self._client.set_terminated(run_id, event.status.value, event.time_ms)

    @_apply.register
    def _(self, event: BestChanged) -> None:
        metric = Metric(names.key(f"best_{event.metric}"), event.value, event.time_ms, event.trial)
        params = ", ".join(f"{name}={names.param_value(value)}" for name, value in event.params.items())
        study = self._pending[self._run.run_id]
        study.metrics.append(metric)
        study.tags += [
            RunTag(names.METRIC, event.metric),
            RunTag(names.BEST_TRIAL, self._run_ids[event.trial]),
            RunTag(names.BEST_PARAMS, names.tag_value(params)),
        ]

    def _gather(self, trial: int | None, values: Any, event: Any, step: int = 0) -> None:
        run_id = self._run.run_id if trial is None else self._run_ids[trial]
        self._pending[run_id].metrics += [
            Metric(names.key(name), float(value), event.time_ms, step) for name, value in values.items()
        ]

    def _write_pending(self) -> None:
        pending, self._pending = self._pending, defaultdict(_Pending)
        for run_id, batch in pending.items():
            self._attempt(self._write_batch, run_id, batch)

    def _write_batch(self, run_id: str, batch: _Pending) -> None:
        # Of a tag that is set twice the last value counts; the store takes each key once a batch.
        tags = list({tag.key: tag for tag in batch.tags}.values())
        self._client.log_batch(run_id, metrics=batch.metrics, params=batch.params, tags=tags)

    def _log_error(self, run_id: str, error: str) -> None:
        last_line = error.strip().splitlines()[-1]
        self._client.log_text(run_id, error, "traceback.txt")
        self._pending[run_id].tags += [
            RunTag(names.ERROR, names.tag_value(last_line)),
            RunTag(names.NOTE, names.tag_value(f"**Failed:** `{last_line}`\n\n```\n{error[-6000:]}\n```")),
        ]


def _curve_prefix(event: EpochEnded) -> str:
    split = "" if event.fold is None else f"split{event.fold}/"
    place = "refit/" if event.trial is None else split
    return place + (f"fit{event.fit}/" if event.fit else "")


def _describe(args: tuple[Any, ...]) -> str:
    return ", ".join(type(arg).__name__ for arg in args) or "metrics"
