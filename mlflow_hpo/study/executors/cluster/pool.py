"""`DaskPool`: runs folds on a Dask cluster, whatever comes and goes there.

One thread decides, on folds from the search, and on replies and events from the workers. It alone holds what is known
of folds, so nothing here is locked.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.errors import HPOError
from mlflow_hpo.study.executors._failed import failed_outcome
from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors._sending import Parcel, Sender
from mlflow_hpo.study.executors._turns import unpacked
from mlflow_hpo.study.executors.cluster._connect import Cluster, connected
from mlflow_hpo.study.executors.cluster._orders import End, Reply, Said
from mlflow_hpo.study.executors.cluster._post import Done, NotReplied, Post, Replied, Told
from mlflow_hpo.study.executors.cluster._workers import LOOK_SECONDS, Workers
from mlflow_hpo.study.executors.contract import Hear
from mlflow_hpo.study.executors.errors import FoldFailedError
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

_logger = logging.getLogger(__name__)
# The scheduler has at least so many folds to give: who joins finds work, and an adaptive cluster a reason to grow.
_LEAST_AHEAD = 64
_FOLDS_A_THREAD = 2
_TICK_SECONDS = 0.1


@dataclass
class _Job:
    """A fold that waits or runs."""

    task: FoldTask
    future: Future[FoldOutcome] = field(default_factory=Future)
    parcel: Parcel | None = None
    attempt: int = -1
    answer: Any = None  # Dask's future
    worker: str | None = None  # where it runs
    began: float | None = None
    clock: ExitStack = field(default_factory=ExitStack)


class DaskPool:
    """Worker processes on a Dask cluster that run the folds of a study.

    Each fold is run by one of our worker processes, which a Dask worker has started beside itself. That process's
    death, or its Dask worker's, costs the fold that it was running, which is run once more. Workers may join and leave;
    while there are none, folds wait.

    Parameters
    ----------
    n_workers : int
        How many folds run at a time on a cluster that is started for the study.
    hear : callable
        Takes the events of folds.
    scheduler, current
        Which cluster, as for `connected`.
    trial_seconds : float or None
        How long the folds of a trial may run, all together.
    n_threads : int or None
        How many threads numerical libraries use for a fold. None takes one; on a cluster that is started, a share of
        the machine's cores, and what the environment sets.

    Raises
    ------
    MissingPackageError, HPOError
        As `connected` does.
    """

    def __init__(
        self,
        n_workers: int,
        hear: Hear,
        *,
        scheduler: str | None = None,
        current: Any = None,
        trial_seconds: float | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._cluster: Cluster = connected(scheduler, n_workers, current=current)
        self._hear = hear
        self._ledger = TrialLedger(trial_seconds)
        self._has_limit = trial_seconds is not None
        self._sender = Sender()
        self._waiting: deque[_Job] = deque()
        self._running: dict[int, _Job] = {}
        self._n_attempts = 0
        self._is_closed = False
        threads, is_explicit = _threads(n_threads, n_workers, self._cluster.is_own)
        self._post = Post(self._cluster.client, threads, is_explicit=is_explicit)
        self._workers = Workers(self._cluster.client)
        self._look()
        self._thread = threading.Thread(target=self._decide, name="mlflow-hpo-dask", daemon=True)
        self._thread.start()

    def __enter__(self) -> DaskPool:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    @property
    def n_workers(self) -> int:
        """How many folds run at a time, now; of a cluster without workers, 1."""
        return self._workers.n_threads or 1

    def submit(self, task: FoldTask, shared: Iterable[Any] = ()) -> Future[FoldOutcome]:
        """Queue a fold; see `Executor`."""
        self._sender.share(shared)
        job = _Job(task)
        self._waiting.append(job)
        self._post.wake()
        if self._is_closed:
            job.future.cancel()
        return job.future

    def close(self) -> None:
        """Cancel all that runs, and leave the cluster, or end it if it was started for the study."""
        self._is_closed = True
        self._post.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # ---- what the thread does

    def _decide(self) -> None:
        try:
            while not self._is_closed:
                self._look()
                self._fill()
                self._take()
                self._end_overdue()
        except BaseException as error:  # whoever waits is to know
            self._fail_all(error)
        finally:
            self._leave()

    def _take(self) -> None:
        """Take what has arrived, all of it; do not wait for long."""
        for arrival in self._post.arrivals(_TICK_SECONDS if self._has_limit else LOOK_SECONDS):
            if self._is_closed:
                return
            job = self._running.get(arrival.attempt)
            if job is None:  # it was given up, or is run anew
                continue
            match arrival:
                case Told():
                    self._told(job, arrival)
                case Done():
                    self._post.fetch(arrival.attempt, arrival.answer)
                case Replied():
                    self._replied(job, arrival.reply)
                case NotReplied():
                    self._not_replied(job, arrival.error)

    def _fill(self) -> None:
        """Have the scheduler know of a few folds for each thread of the cluster, and of no more."""
        while self._waiting and not self._is_closed:
            if self._waiting[0].task.recorded is None and not self._room():
                return
            job = self._waiting.popleft()
            if (known := job.task.known()) is not None:  # no worker is needed
                job.future.set_result(known)
            else:
                self._send(job)

    def _room(self) -> bool:
        n_threads = self._workers.n_threads
        return n_threads > 0 and len(self._running) < max(_LEAST_AHEAD, _FOLDS_A_THREAD * n_threads)

    def _look(self) -> None:
        """Ask now and then which workers there are."""
        if self._workers.look():
            for job in list(self._running.values()):
                if job.worker is not None and job.worker not in self._workers:
                    self._note_gone(job, job.worker)

    def _send(self, job: _Job) -> None:
        """Order a fold, or end it if it cannot go or its trial is given up."""
        lost = self._ledger.verdict(job.task.trial)
        if lost is not None:
            self._end(job, failed_outcome(job.task, lost, _seconds(job)))
            return
        try:
            job.parcel = job.parcel or self._sender.pack(job.task)
        except FoldFailedError as error:
            self._end(job, failed_outcome(job.task, error))
            return
        self._n_attempts += 1
        job.attempt = self._n_attempts
        job.answer = self._post.send(job.attempt, job.parcel)
        if job.answer is None:
            self._workers.note_gone()
            self._waiting.appendleft(job)
        else:
            self._running[job.attempt] = job

    def _told(self, job: _Job, told: Told) -> None:
        match told.what:
            case Said.EVENT:
                self._hear(pickle.loads(told.content))
            case Said.STARTED:
                self._started(job, told.worker)
            case Said.ENDED:
                job.worker = None  # if that dies now, it is not of this fold
                job.clock.close()
                if told.content:
                    self._end_with(job, told.content)

    def _started(self, job: _Job, worker: str) -> None:
        if job.worker is not None:  # Dask has begun anew elsewhere
            self._note_gone(job, job.worker)
            if job.attempt not in self._running:
                return
        job.worker = worker
        job.began = time.monotonic()
        job.clock.enter_context(self._ledger.running(job.task.trial))

    def _replied(self, job: _Job, reply: Reply) -> None:
        if reply.end is End.OUTCOME:
            self._end_with(job, reply.content)
        elif reply.end is End.FAILED:
            self._end(job, failed_outcome(job.task, FoldFailedError(reply.said), _seconds(job)))
        else:
            self._again(job)
            if reply.end is End.DIED:
                _logger.warning("Trial %d, fold %d: its worker process %s", job.task.trial, job.task.fold, reply.said)
                self._note_death(job, reply.exit_code)

    def _not_replied(self, job: _Job, error: BaseException) -> None:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):  # Dask counts deaths too, and those of workers where the fold only waited
            is_noted = job.began is not None and job.worker is None
            self._again(job)
            if not is_noted:
                self._note_death(job, None)
        elif not self._post.is_connected:
            raise HPOError(
                "The connection to the Dask scheduler is lost. A study with a name goes on when it is started again."
            )
        elif isinstance(error, CancelledError):  # by somebody else, or with the data that was lost
            self._again(job)
        else:
            raise HPOError(
                f"Folds cannot run on the Dask workers ({type(error).__name__}: {error}). They need mlflow_hpo, and "
                "the versions of Python and of packages that the study has."
            ) from error

    def _end_with(self, job: _Job, outcome: bytes) -> None:
        try:
            self._end(job, unpacked(outcome))
        except FoldFailedError as error:
            self._end(job, failed_outcome(job.task, error, _seconds(job)))

    def _note_gone(self, job: _Job, worker: str) -> None:
        """Take note that a fold's worker is gone, be it on purpose; Dask runs the fold on another one by itself."""
        job.worker = None
        job.clock.close()
        if not self._workers.has_left(worker):
            _logger.warning("Trial %d, fold %d: its Dask worker %s is gone", job.task.trial, job.task.fold, worker)
            self._note_death(job, None)

    def _note_death(self, job: _Job, exit_code: int | None) -> None:
        self._ledger.note_death(job.task.trial, exit_code)
        self._end_if_given_up(job.task.trial)

    def _end_overdue(self) -> None:
        if not self._has_limit:
            return
        for trial in {job.task.trial for job in self._running.values() if job.worker is not None}:
            if self._ledger.remaining(trial) <= 0:
                self._ledger.note_timeout(trial)
                self._end_if_given_up(trial)

    def _end_if_given_up(self, trial: int) -> None:
        lost = self._ledger.verdict(trial)
        if lost is None:
            return
        for job in [job for job in self._running.values() if job.task.trial == trial]:
            self._post.cancel([job.answer])
            self._end(job, failed_outcome(job.task, lost, _seconds(job)))

    def _again(self, job: _Job) -> None:
        self._forget(job)
        self._waiting.appendleft(job)

    def _end(self, job: _Job, outcome: FoldOutcome) -> None:
        self._forget(job)
        job.future.set_result(outcome)

    def _forget(self, job: _Job) -> None:
        self._running.pop(job.attempt, None)
        job.clock.close()
        job.worker = job.answer = None  # what Dask has of it goes too

    # ---- the end

    def _fail_all(self, error: BaseException) -> None:
        self._is_closed = True
        for job in self._all_jobs():
            if not job.future.done():
                job.future.set_exception(error)

    def _leave(self) -> None:
        answers = [job.answer for job in self._running.values()]
        for job in self._all_jobs():
            job.future.cancel()
        with suppress(Exception):  # a cluster that is gone has nothing to leave
            if self._post.is_connected:
                self._post.leave(answers)
        with suppress(Exception):
            self._cluster.closing.close()
        self._sender.close()

    def _all_jobs(self) -> list[_Job]:
        jobs = [*self._running.values(), *self._waiting]
        self._running.clear()
        self._waiting.clear()
        return jobs


def _threads(n_threads: int | None, n_workers: int, is_own: bool) -> tuple[int, bool]:
    """Return how many threads a fold has, and whether that counts whatever the worker's environment says."""
    from joblib import cpu_count

    if n_threads is not None:
        return n_threads, True
    return (max(1, cpu_count() // n_workers), False) if is_own else (1, False)


def _seconds(job: _Job) -> float:
    return 0.0 if job.began is None else time.monotonic() - job.began
