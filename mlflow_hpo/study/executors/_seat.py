"""A place in the pool: one worker process after the other, and the folds that it is given."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections.abc import Callable
from typing import Any

from mlflow_hpo.study.executors._failed import failed_outcome
from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors._process import PatienceEnded, WorkerDead, WorkerProcess
from mlflow_hpo.study.executors._sending import Sender
from mlflow_hpo.study.executors._worker import OUTCOME, STARTED
from mlflow_hpo.study.executors.errors import FoldFailedError, cause_of_death
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

_logger = logging.getLogger(__name__)


class PoolClosed(Exception):  # noqa: N818  (ends a fold inside of the pool, no error that anybody sees)
    """The pool has been closed while a fold was running."""


class Seat:
    """Runs folds in a worker process, and replaces it when it dies. For one thread: the worker ends with it.

    Parameters
    ----------
    start_worker : callable
        Makes a worker process.
    sender : Sender
        Pickles the folds.
    ledger : TrialLedger
        Decides when a trial is given up.
    is_over : callable
        Whether the pool has been closed.
    """

    def __init__(
        self,
        start_worker: Callable[[], WorkerProcess],
        sender: Sender,
        ledger: TrialLedger,
        is_over: Callable[[], bool],
    ) -> None:
        self._start_worker = start_worker
        self._sender = sender
        self._ledger = ledger
        self._is_over = is_over
        self._worker: WorkerProcess | None = None
        self._begin: float | None = None

    def run(self, task: FoldTask) -> FoldOutcome:
        """Run a fold, once more if its worker dies, and return its outcome, whatever that is.

        Parameters
        ----------
        task : FoldTask

        Raises
        ------
        PoolClosed
            The pool was closed before the fold had ended.
        """
        if task.recorded is not None:  # from an earlier start of the study: no process is needed
            return task()
        self._begin = None
        while (lost := self._ledger.verdict(task.trial)) is None:
            try:
                return self._attempt(task)
            except WorkerDead:
                self._note_death(task)
            except PatienceEnded:
                self._note_timeout(task)
            except FoldFailedError as error:
                return failed_outcome(task, error, self._seconds())
        return failed_outcome(task, lost, self._seconds())

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        """Let the worker end."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _attempt(self, task: FoldTask) -> FoldOutcome:
        parcel = self._sender.pack(task)
        worker = self._living_worker()
        worker.send(parcel)
        # What the first fold imports is no part of what its trial takes.
        kind, content = worker.receive(lambda: self._patience(math.inf))
        if kind == STARTED:
            self._begin = time.monotonic()
            with self._ledger.running(task.trial):
                kind, content = worker.receive(lambda: self._patience(self._ledger.remaining(task.trial)))
        if kind != OUTCOME:
            raise FoldFailedError(content.decode())
        return _unpacked(content)

    def _living_worker(self) -> WorkerProcess:
        if self._worker is not None and not self._worker.is_alive:  # it has died over nothing
            self._worker.bury()
            self._worker = None
        self._worker = self._worker or self._start_worker()
        return self._worker

    def _patience(self, seconds: float) -> float:
        return -1.0 if self._is_over() else seconds

    def _note_death(self, task: FoldTask) -> None:
        assert self._worker is not None
        exit_code, crash = self._worker.bury(), self._worker.last_words
        self._worker = None
        self._ledger.note_death(task.trial, exit_code)
        what = f"{cause_of_death(exit_code)}. {crash}".strip()
        _logger.warning("Trial %d, fold %d: its worker process %s", task.trial, task.fold, what)

    def _note_timeout(self, task: FoldTask) -> None:
        assert self._worker is not None
        self._worker.kill()
        self._worker = None
        if self._is_over():
            raise PoolClosed
        self._ledger.note_timeout(task.trial)

    def _seconds(self) -> float:
        return 0.0 if self._begin is None else time.monotonic() - self._begin


def _unpacked(content: bytes) -> FoldOutcome:
    try:
        outcome: FoldOutcome = pickle.loads(content)
    except Exception as error:
        raise FoldFailedError(
            f"What the fold gave back in its worker process cannot be read here ({type(error).__name__}: {error})."
        ) from error
    return outcome
