"""`ProgressState`: takes a study's events, from any thread, and says how the study stands."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any

from mlflow_hpo.core.events import (
    BestChanged,
    CandidateTaken,
    FoldEnded,
    FoldStarted,
    ProgressEvent,
    RunStatus,
    SearchEnded,
    StudyConcluded,
    TrialEnded,
    TrialReplayed,
    TrialStarted,
)
from mlflow_hpo.core.redact import redacted
from mlflow_hpo.core.reporting import EpochEnded
from mlflow_hpo.study.progress._snapshot import Ended, Running, Snapshot
from mlflow_hpo.tracking.opening import StudyPlan
from mlflow_hpo.tracking.runs import StudyRun

_MEAN = "mean_test_"
_LEADERS = 5
_Place = tuple[int | None, int | None]


class ProgressState:
    """How a study stands.

    Parameters
    ----------
    name : str
        What the study's run is called.
    plan : StudyPlan
        What is known of it before.
    run : StudyRun
        Where it is kept.
    began_ms : int
        When it began.
    """

    def __init__(self, name: str, plan: StudyPlan, run: StudyRun, began_ms: int) -> None:
        self._now = Snapshot(name, plan.strategy, run, began_ms, plan.n_trials)
        self._metric = plan.metric
        self._sign = 1.0 if plan.greater_is_better else -1.0
        self._started: dict[int, TrialStarted] = {}
        self._running: dict[_Place, Running] = {}
        self._news: list[Ended] = []
        self._ranked: dict[int, Ended] = {}
        self._version = 0
        self._lock = threading.Lock()

    def hear(self, event: ProgressEvent) -> None:
        """Take an event."""
        with self._lock:
            self._take(event)
            self._version += 1

    @property
    def version(self) -> int:
        """Grows with each event."""
        return self._version

    def snapshot(self) -> Snapshot:
        """Return how the study stands now."""
        with self._lock:
            busy = {trial for trial, _ in self._running}
            waiting = [
                Running(trial, None, event.params) for trial, event in self._started.items() if trial not in busy
            ]
            running = sorted([*self._running.values(), *waiting], key=lambda one: (one.trial or 0, one.fold or 0))
            return replace(self._now, running=tuple(running))

    def take_news(self) -> list[Ended]:
        """Return the trials that have ended since this was asked last."""
        with self._lock:
            news, self._news = self._news, []
            return news

    @singledispatchmethod
    def _take(self, event: Any) -> None:
        raise TypeError(f"No event of a study: {event!r}")

    @_take.register
    def _(self, event: CandidateTaken) -> None:
        self._set(n_known=self._now.n_known + 1)

    @_take.register
    def _(self, event: TrialStarted) -> None:
        self._started[event.trial] = event
        if self._now.first_ms is None:
            self._set(first_ms=event.time_ms)

    @_take.register
    def _(self, event: FoldStarted) -> None:
        if event.trial in self._started:
            params = self._started[event.trial].params
            self._running[event.trial, event.fold] = Running(event.trial, event.fold, params)

    @_take.register
    def _(self, event: EpochEnded) -> None:
        if event.trial is None or event.trial in self._started:  # one that is over can still be heard of
            params = {} if event.trial is None else self._started[event.trial].params
            place = (event.trial, event.fold)
            self._running[place] = Running(*place, params, event.epoch + 1, event.metrics)

    @_take.register
    def _(self, event: FoldEnded) -> None:
        self._running.pop((event.trial, event.fold), None)

    @_take.register
    def _(self, event: TrialEnded) -> None:
        started = self._started.pop(event.trial)
        for place in [place for place in self._running if place[0] == event.trial]:
            del self._running[place]
        if event.status is RunStatus.KILLED:
            self._set(n_stopped=self._now.n_stopped + 1)
            return
        seconds = (event.time_ms - started.time_ms) / 1000
        error = _cause(event.error) if event.error else None
        self._set(last_ms=event.time_ms)
        self._end(self._ended(event, started.params, seconds=seconds, error=error))

    @_take.register
    def _(self, event: TrialReplayed) -> None:
        self._set(n_replayed=self._now.n_replayed + 1)
        self._end(self._ended(event, event.params))

    @_take.register
    def _(self, event: BestChanged) -> None:
        """Take the search's word: it may rank otherwise than by the highest score."""
        self._metric = event.metric
        if self._now.best is None or self._now.best.number != event.trial:
            self._set(best=self._ranked.get(event.trial, self._now.best))

    @_take.register
    def _(self, event: SearchEnded) -> None:
        self._set(is_refitting=True)

    @_take.register
    def _(self, event: StudyConcluded) -> None:
        self._set(registered=event.registered, stopped=event.stopped)

    def _ended(self, event: TrialEnded | TrialReplayed, params: Mapping[str, Any], **more: Any) -> Ended:
        if self._metric is None:
            self._metric = next((name for name in event.metrics if name.startswith(_MEAN)), None)
        spread = event.metrics.get(f"std_{(self._metric or '').removeprefix('mean_')}")
        score = event.score if event.status is RunStatus.FINISHED else None
        value = None if score is None else self._sign * score
        return Ended(event.trial, event.status, params, value, spread, score, count=self._now.n_ended + 1, **more)

    def _end(self, ended: Ended) -> None:
        if ended.status is RunStatus.FAILED:
            self._set(n_failed=self._now.n_failed + 1, last_error=ended.error)
        if ended.is_ranked:
            if self._now.best is None or ended.rank > self._now.best.rank:
                ended = replace(ended, is_best=True)
                self._set(best=ended)
            leaders = list(self._now.leaders)
            insort(leaders, ended, key=lambda leader: -leader.rank)
            self._set(leaders=tuple(leaders[:_LEADERS]))
            self._ranked[ended.number] = ended
        self._set(n_ended=ended.count)
        self._news.append(ended)

    def _set(self, **changed: Any) -> None:
        self._now = replace(self._now, **changed)


def _cause(traceback: str) -> str:
    """Return the line that names the exception: the first one below the frames, which are indented."""
    lines = redacted(traceback).strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith("  ")]
    return lines[min(frames[-1] + 1, len(lines) - 1)] if frames else lines[-1]
