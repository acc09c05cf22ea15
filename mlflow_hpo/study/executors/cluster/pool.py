"""`DaskPool`: runs folds on a Dask cluster, whatever comes and goes there.

One thread decides, on what comes into its inbox: folds from the search, replies and events from the workers. It alone
holds what is known of folds, so nothing here is locked. Which workers there are it asks the scheduler now and then: the
topic where Dask announces all changes carries what breaks a client's connection (`replicate`, in 2026.8).
"""

from __future__ import annotations

import logging
import math
import pickle
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mlflow_hpo.core.errors import HPOError
from mlflow_hpo.study.executors._failed import failed_outcome
from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors._sending import Parcel, Sender
from mlflow_hpo.study.executors._turns import unpacked
from mlflow_hpo.study.executors.cluster._connect import Cluster, connected
from mlflow_hpo.study.executors.cluster._data import Data
from mlflow_hpo.study.executors.contract import Hear
from mlflow_hpo.study.executors.errors import FoldFailedError
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

_logger = logging.getLogger(__name__)
# The scheduler has at least so many folds to give: who joins finds work, and an adaptive cluster a reason to grow.
_LEAST_AHEAD = 64
_FOLDS_A_THREAD = 2
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_GOODBYE_SECONDS = 10.0


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
    scheduler : str or None
        Address of the cluster's scheduler; None takes the cluster that this process has a client of, or starts one.
    current : Client or None
        The client whose cluster it is to be.
    trial_seconds : float or None
        How long the folds of a trial may run, all together.
    n_threads : int or None
        How many threads numerical libraries use for a fold. None takes one; on a cluster that is started, a share of
        the machine's cores, and what the environment sets.

    Raises
    ------
    MissingPackageError
        Dask is not installed.
    HPOError
        There is no scheduler at the address.
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
        self._threads = _threads(n_threads, n_workers, self._cluster.is_own)
        self._study = secrets.token_hex(8)
        self._ledger = TrialLedger(trial_seconds)
        self._has_limit = trial_seconds is not None
        self._sender = Sender()
        self._data = Data(self._cluster.client)
        self._waiting: deque[_Job] = deque()
        self._running: dict[int, _Job] = {}
        self._n_attempts = 0
        self._workers: dict[str, int] = {}  # the threads of each
        self._looked = -math.inf
        self._is_waiting = False
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_closed = False
        self._listen()
        self._lease = self._leased()
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
        return sum(self._workers.values()) or 1

    def submit(self, task: FoldTask, shared: Iterable[Any] = ()) -> Future[FoldOutcome]:
        """Queue a fold; see `Executor`."""
        self._sender.share(shared)
        job = _Job(task)
        self._waiting.append(job)
        self._inbox.put(_nothing)
        if self._is_closed:
            job.future.cancel()
        return job.future

    def close(self) -> None:
        """Cancel all that runs, and leave the cluster, or end it if it was started for the study."""
        self._is_closed = True
        self._inbox.put(_nothing)
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
        """Do what the inbox says, all that is there; do not wait for long."""
        with suppress(queue.Empty):
            self._inbox.get(timeout=_TICK_SECONDS if self._has_limit else _LOOK_SECONDS)()
            while not self._is_closed:
                self._inbox.get_nowait()()

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
        n_threads = sum(self._workers.values())
        return n_threads > 0 and len(self._running) < max(_LEAST_AHEAD, _FOLDS_A_THREAD * n_threads)

    def _look(self) -> None:
        """Ask now and then which workers there are."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._workers = self._cluster.client.nthreads()
        for job in list(self._running.values()):
            if job.worker is not None and job.worker not in self._workers:
                self._note_gone(job, job.worker)
        if not self._workers and not self._is_waiting:
            address = self._cluster.client.scheduler.address
            _logger.warning("The Dask cluster at %s has no workers; the study waits for some.", address)
        elif self._workers and self._is_waiting:
            _logger.warning("The Dask cluster has workers; the study goes on.")
        self._is_waiting = not self._workers

    def _send(self, job: _Job) -> None:
        """Order a fold, or end it if it cannot go or its trial is given up."""
        from mlflow_hpo.study.executors.cluster._host import Order, run_order

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
        files = tuple(map(self._data.carried, job.parcel.files))
        large = [shared for shared, file in zip(job.parcel.files, files, strict=True) if file.content is None]
        order = Order(self._study, job.attempt, job.parcel.pickled, files, *self._threads)
        client = self._cluster.client
        try:
            scattered = [self._data.scattered(shared) for shared in large]
        except (OSError, TimeoutError):  # the workers have gone meanwhile
            _logger.debug("The data could not be scattered", exc_info=True)
            self._workers = {}
            self._waiting.appendleft(job)
            return
        job.answer = client.submit(run_order, order, *scattered, key=order.key, pure=False)
        self._running[job.attempt] = job
        job.answer.add_done_callback(partial(self._on_done, job.attempt))

    def _done(self, attempt: int, answer: Any) -> None:
        """Take the reply off its worker, unless all that is in it has come as an event."""
        if attempt in self._running:
            self._cluster.client.loop.add_callback(self._fetch, attempt, answer)

    def _reply(self, attempt: int, reply: Any) -> None:
        from mlflow_hpo.study.executors.cluster._host import End

        job = self._running.get(attempt)
        if job is None:  # it was given up, or is run anew
            return
        if reply.end is End.OUTCOME:
            self._end_with(job, reply.content)
        elif reply.end is End.FAILED:
            self._end(job, failed_outcome(job.task, FoldFailedError(reply.said), _seconds(job)))
        else:
            self._again(job)
            if reply.end is End.DIED:
                _logger.warning("Trial %d, fold %d: its worker process %s", job.task.trial, job.task.fold, reply.said)
                self._note_death(job, reply.exit_code)

    def _no_reply(self, attempt: int, error: BaseException) -> None:
        from distributed import KilledWorker

        job = self._running.get(attempt)
        if job is None:
            return
        if isinstance(error, KilledWorker):  # Dask counts deaths too, and those of workers where the fold only waited
            is_noted = job.began is not None and job.worker is None
            self._again(job)
            if not is_noted:
                self._note_death(job, None)
        elif self._cluster.client.status != "running":
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

    def _event(self, attempt: int, worker: str, what: str, content: bytes) -> None:
        from mlflow_hpo.study.executors.cluster._host import Said

        job = self._running.get(attempt)
        if job is None:
            return
        if what == Said.EVENT.value:
            self._hear(pickle.loads(content))
        elif what == Said.STARTED.value:
            self._started(job, worker)
        else:
            job.worker = None  # if that dies now, it is not of this fold
            job.clock.close()
            if content:
                self._end_with(job, content)

    def _started(self, job: _Job, worker: str) -> None:
        if job.worker is not None:  # Dask has begun anew elsewhere
            self._note_gone(job, job.worker)
            if job.attempt not in self._running:
                return
        job.worker = worker
        job.began = time.monotonic()
        job.clock.enter_context(self._ledger.running(job.task.trial))

    def _end_with(self, job: _Job, outcome: bytes) -> None:
        try:
            self._end(job, unpacked(outcome))
        except FoldFailedError as error:
            self._end(job, failed_outcome(job.task, error, _seconds(job)))

    def _note_gone(self, job: _Job, worker: str) -> None:
        """Take note that a fold's worker is gone, be it on purpose; Dask runs the fold on another one by itself."""
        job.worker = None
        job.clock.close()
        told = [said for _, said in self._cluster.client.get_events(worker) if said.get("action") == "remove-worker"]
        if not (told and told[-1]["expected"]):
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
            self._cluster.client.cancel([job.answer])
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

    # ---- what comes from the cluster, in the thread of Dask's event loop

    def _leased(self) -> Any:
        """Have the scheduler know the study: by this its workers see when it is gone, however it has ended.

        It is a task without a worker, too, where there is none: an adaptive cluster starts workers for tasks only.
        """
        from mlflow_hpo.study.executors.cluster._host import lease_of

        return self._cluster.client.submit(int, key=lease_of(self._study), pure=False)

    def _listen(self) -> None:
        from mlflow_hpo.study.executors.cluster._host import TOPIC

        self._cluster.client.subscribe_topic(TOPIC, self._on_event)

    def _on_event(self, stamped: Any) -> None:
        study, *said = stamped[1]
        if study == self._study:
            self._inbox.put(partial(self._event, *said))

    def _on_done(self, attempt: int, answer: Any) -> None:
        self._inbox.put(partial(self._done, attempt, answer))

    async def _fetch(self, attempt: int, answer: Any) -> None:
        try:
            reply = await self._cluster.client.gather(answer, asynchronous=True)
        except BaseException as error:
            self._inbox.put(partial(self._no_reply, attempt, error))
        else:
            self._inbox.put(partial(self._reply, attempt, reply))

    # ---- the end

    def _fail_all(self, error: BaseException) -> None:
        self._is_closed = True
        for job in self._all_jobs():
            if not job.future.done():
                job.future.set_exception(error)

    def _leave(self) -> None:
        from mlflow_hpo.study.executors.cluster._host import leave_study

        client = self._cluster.client
        answers = [job.answer for job in self._running.values()]
        for job in self._all_jobs():
            job.future.cancel()
        with suppress(Exception):  # a cluster that is gone has nothing to leave
            if client.status == "running":
                client.cancel(answers)
                client.sync(client._run, leave_study, self._study, on_error="ignore", callback_timeout=_GOODBYE_SECONDS)
        with suppress(Exception):
            self._cluster.closing.close()
        self._sender.close()

    def _all_jobs(self) -> list[_Job]:
        jobs = [*self._running.values(), *self._waiting]
        self._running.clear()
        self._waiting.clear()
        return jobs


def _nothing() -> None:
    """Wake the thread up."""


def _threads(n_threads: int | None, n_workers: int, is_own: bool) -> tuple[int, bool]:
    """Return how many threads a fold has, and whether that counts whatever the worker's environment says."""
    from joblib import cpu_count

    if n_threads is not None:
        return n_threads, True
    return (max(1, cpu_count() // n_workers), False) if is_own else (1, False)


def _seconds(job: _Job) -> float:
    return 0.0 if job.began is None else time.monotonic() - job.began
