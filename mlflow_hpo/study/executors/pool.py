"""`WorkerPool`: runs folds in worker processes, and outlives them.

Each worker has a thread here that looks after it: starts it, sends it a fold, waits, and replaces it when it dies.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any

from joblib import cpu_count

from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors._process import WorkerProcess
from mlflow_hpo.study.executors._seat import Seat
from mlflow_hpo.study.executors._sending import Sender
from mlflow_hpo.study.executors._turns import PoolClosed, Turns
from mlflow_hpo.study.executors.contract import Hear
from mlflow_hpo.study.fold import FoldOutcome, FoldTask


@dataclass(frozen=True)
class _Job:
    """A fold that waits or runs."""

    task: FoldTask
    future: Future[FoldOutcome] = field(default_factory=Future)


def cancelled() -> Future[FoldOutcome]:
    """Return the future of a fold that is never going to run."""
    future: Future[FoldOutcome] = Future()
    future.cancel()
    return future


class WorkerPool:
    """Worker processes that run the folds of a study.

    Workers start when there is work for them, and stay: what they have imported and compiled serves the next fold. A
    worker's death costs the fold that it was running, which is run once more on a fresh one. A trial whose worker has
    died twice, or whose folds have run for too long, is given up: those of its folds that have not begun never do.

    Parameters
    ----------
    n_workers : int
        How many processes.
    hear : callable
        Takes the events of folds.
    trial_seconds : float or None
        How long the folds of a trial may run, all together.
    n_threads : int or None
        How many threads numerical libraries use in a worker; None shares the machine's cores among the workers, and
        leaves what the environment sets.

    Examples
    --------
    >>> with WorkerPool(2, study.hear) as pool:  # doctest: +SKIP
    ...     outcome = pool.submit(task, shared=[X, y]).result()
    """

    def __init__(
        self, n_workers: int, hear: Hear, *, trial_seconds: float | None = None, n_threads: int | None = None
    ) -> None:
        self.n_workers = n_workers
        self._hear = hear
        self._n_threads = n_threads
        self._ledger = TrialLedger(trial_seconds)
        self._sender = Sender()
        self._waiting: deque[_Job] = deque()
        self._keepers: list[threading.Thread] = []
        self._n_idle = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def submit(self, task: FoldTask, shared: Iterable[Any] = ()) -> Future[FoldOutcome]:
        """Queue a fold; what is submitted first begins first.

        Parameters
        ----------
        task : FoldTask
        shared : iterable of object
            Parts of the task that are the same objects in many tasks: the data. They are sent to each worker once.

        Returns
        -------
        Future
            Of the fold's outcome, whatever that is; cancelled when the pool is closed before there is one.
        """
        job = _Job(task)
        with self._changed:
            if self._is_closed:
                return cancelled()
            self._sender.share(shared)
            self._waiting.append(job)
            if self._n_idle < len(self._waiting) and len(self._keepers) < self.n_workers:
                self._add_keeper()
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """End all workers, those that are busy at once; folds that have not ended are cancelled."""
        with self._changed:
            self._is_closed = True
            dropped = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for job in dropped:
            job.future.cancel()
        for keeper in self._keepers:
            if keeper is not threading.current_thread():
                keeper.join()
        self._sender.close()

    def _add_keeper(self) -> None:
        keeper = threading.Thread(target=self._keep, name="mlflow-hpo-worker", daemon=True)
        self._keepers.append(keeper)
        keeper.start()

    def _keep(self) -> None:
        with Seat(self._start_worker) as seat:
            while (job := self._next_job()) is not None:
                turns = Turns(job.task, self._sender, self._ledger, self._hear, lambda: self._is_closed)
                try:
                    outcome = turns.run(seat)
                except PoolClosed:
                    job.future.set_exception(CancelledError())
                except BaseException as error:  # no process could be started, say: whoever waits is to know
                    job.future.set_exception(error)
                else:
                    job.future.set_result(outcome)

    def _next_job(self) -> _Job | None:
        with self._changed:
            self._n_idle += 1
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            self._n_idle -= 1
            if self._is_closed:
                return None
            job = self._waiting.popleft()
        job.future.set_running_or_notify_cancel()
        return job

    def _start_worker(self) -> WorkerProcess:
        if self._n_threads is not None:
            return WorkerProcess(self._n_threads, is_explicit=True)
        return WorkerProcess(max(1, cpu_count() // self.n_workers))
