"""`LocalExecutor`: the workers of this machine, threads that begin at once and processes where a study is long.

Threads share the compiled graphs of this process, and Python's lock. Processes share neither, and import for seconds
before they begin: they are started beside the threads when enough is left to do and the lock leaves cores idle, and
each takes the place of a thread with its first fold. Where a fold runs makes no difference to its result: operations
use as many threads everywhere.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mlflow_hpo.study.executors._crew import Crew
from mlflow_hpo.study.executors.contract import Hear
from mlflow_hpo.study.executors.errors import FoldFailedError
from mlflow_hpo.study.executors.pool import ProcessSeats
from mlflow_hpo.study.fold import FoldEvent, FoldOutcome, FoldTask

# Two processes import TensorFlow for some ten seconds of the cores that threads could use. See ARCHITECTURE.md.
WORTH_PROCESSES_SECONDS = 60.0
# Threads that keep their cores as busy as this do not wait for Python's lock: processes would be no faster.
_BUSY = 0.8
# How busy they are shows in so many seconds, after those in which what delivers imports beside them.
_WATCHED_SECONDS = 15.0
_SETTLING_SECONDS = 15.0
# The first folds compile their graphs, which tells nothing of the others, unless training takes much longer than that.
_COMPILING_SECONDS = 10.0
# A fold that reports nothing cannot be ended; it is left alone then.
_PATIENCE_SECONDS = 10.0


class FoldAbandoned(BaseException):
    """Ends a fold in a thread, at its next epoch: nobody waits for it any more."""


class LocalExecutor:
    """Runs folds in threads of this process, and in processes where that pays.

    Parameters
    ----------
    n_workers : int
        How many folds run at a time.
    hear : callable
        Takes the events of folds.
    n_threads : int
        How many threads an operation uses in this process, and is to use in others.
    may_start_processes : bool
        Whether processes come into question.
    """

    def __init__(self, n_workers: int, hear: Hear, n_threads: int, *, may_start_processes: bool) -> None:
        self.n_workers = n_workers
        self._hear = hear
        self._crew = Crew()
        self._processes = ProcessSeats(self._crew, hear, n_threads, is_explicit=True)
        self._may_start_processes = may_start_processes
        self._fastest = math.inf
        self._n_ended = 0
        self._settled = time.monotonic() + _SETTLING_SECONDS
        self._since: tuple[float, float] | None = None
        self._lock = threading.Lock()
        self._crew.hire(n_workers, self._thread)

    def submit(self, task: FoldTask, shared: Iterable[Any] = ()) -> Future[FoldOutcome]:
        """Queue a fold, as `Executor.submit`."""
        self._processes.sender.share(shared)
        return self._crew.submit(task)

    def close(self) -> None:
        """End processes at once, and threads at the next epoch of their folds."""
        self._crew.close(_PATIENCE_SECONDS)
        self._processes.sender.close()

    @contextmanager
    def _thread(self) -> Iterator[Callable[[FoldTask], FoldOutcome]]:
        def run(task: FoldTask) -> FoldOutcome:
            begin = time.monotonic()
            outcome = replace(task, emit=self._emit, template=None)()
            self._consider_processes(task, time.monotonic() - begin)
            return outcome

        yield run

    @contextmanager
    def _process(self) -> Iterator[Callable[[FoldTask], FoldOutcome]]:
        with self._processes.seat() as run_elsewhere:
            is_first = True

            def run(task: FoldTask) -> FoldOutcome:
                nonlocal is_first
                outcome = run_elsewhere(task)
                if is_first:
                    is_first = False
                    self._crew.dismiss(self._thread)
                return outcome

            yield run

    def _emit(self, event: FoldEvent) -> bool:
        if self._crew.is_closed:
            raise FoldAbandoned
        self._hear(event)
        return True

    def _consider_processes(self, task: FoldTask, seconds: float) -> None:
        with self._lock:
            self._n_ended += 1
            if self._n_ended <= self.n_workers and seconds < _COMPILING_SECONDS:
                return
            self._fastest = min(self._fastest, seconds)
            is_long = self._may_start_processes and self._seconds_left(task) >= WORTH_PROCESSES_SECONDS
            if not is_long or self._busy() > _BUSY:
                return
            self._may_start_processes = False
        if self._travels(task):
            self._crew.hire(self.n_workers, self._process)

    def _busy(self) -> float:
        """Return the share of its workers' cores that this process has used since it had settled; 1 at first."""
        now = time.monotonic(), time.process_time()
        if now[0] < self._settled:
            return 1.0
        if self._since is None:
            self._since = now
        seconds, cpu_seconds = (later - earlier for later, earlier in zip(now, self._since, strict=True))
        n_cores = min(self.n_workers, os.cpu_count() or 1)
        return cpu_seconds / seconds / n_cores if seconds > _WATCHED_SECONDS else 1.0

    def _seconds_left(self, task: FoldTask) -> float:
        """Return how long the folds after this one take, in one call of the search, if all are as the fastest."""
        (candidate, n_candidates), (fold, n_folds) = task.kwargs["candidate_progress"], task.kwargs["split_progress"]
        n_left: int = n_candidates * n_folds - (candidate * n_folds + fold + 1)
        return self._fastest * n_left / self.n_workers

    def _travels(self, task: FoldTask) -> bool:
        """Whether such a fold can be sent to another process."""
        try:
            self._processes.sender.pack(task)
        except FoldFailedError:
            return False
        return True
