"""A fold's turns on a seat of the pool: once more when its worker has died, until its trial is given up."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections.abc import Callable
from contextlib import ExitStack

from mlflow_hpo.study.executors._failed import failed_outcome
from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors._seat import PatienceEnded, Seat, WorkerLost
from mlflow_hpo.study.executors._sending import Sender
from mlflow_hpo.study.executors.contract import Hear
from mlflow_hpo.study.executors.errors import FoldFailedError
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

_logger = logging.getLogger(__name__)


class PoolClosed(Exception):  # noqa: N818  (ends a fold inside of the pool, no error that anybody sees)
    """The pool has been closed while a fold was running."""


class Turns:
    """Runs one fold.

    Parameters
    ----------
    task : FoldTask
    sender : Sender
        Pickles it.
    ledger : TrialLedger
        Decides when its trial is given up.
    hear : callable
        Takes its events.
    is_over : callable
        Whether the pool has been closed.
    """

    def __init__(
        self, task: FoldTask, sender: Sender, ledger: TrialLedger, hear: Hear, is_over: Callable[[], bool]
    ) -> None:
        self._task = task
        self._sender = sender
        self._ledger = ledger
        self._hear = hear
        self._is_over = is_over
        self._begin: float | None = None
        self._is_running = False
        self._clock = ExitStack()

    def run(self, seat: Seat) -> FoldOutcome:
        """Run the fold, once more if its worker dies, and return its outcome, whatever that is.

        Parameters
        ----------
        seat : Seat

        Raises
        ------
        PoolClosed
            The pool was closed before the fold had ended.
        """
        task = self._task
        if (known := task.known()) is not None:  # no process is needed
            return known
        while (lost := self._ledger.verdict(task.trial)) is None:
            self._is_running = False
            try:
                with self._clock:
                    return unpacked(seat.run(self._sender.pack(task), self))
            except WorkerLost as death:
                self._ledger.note_death(task.trial, death.exit_code)
                _logger.warning("Trial %d, fold %d: its worker process %s", task.trial, task.fold, death)
            except PatienceEnded:
                if self._is_over():
                    raise PoolClosed from None
                self._ledger.note_timeout(task.trial)
            except FoldFailedError as error:
                return failed_outcome(task, error, self._seconds())
        return failed_outcome(task, lost, self._seconds())

    def started(self) -> None:
        """Count the time from here on: what a worker's first fold imports is no part of what its trial takes."""
        self._begin, self._is_running = time.monotonic(), True
        self._clock.enter_context(self._ledger.running(self._task.trial))

    def heard(self, event: bytes) -> None:
        """Pass an event on."""
        self._hear(pickle.loads(event))

    def patience(self) -> float:
        """Return for how many seconds the fold may go on."""
        if self._is_over():
            return -1.0
        return self._ledger.remaining(self._task.trial) if self._is_running else math.inf

    def _seconds(self) -> float:
        return 0.0 if self._begin is None else time.monotonic() - self._begin


def unpacked(content: bytes) -> FoldOutcome:
    """Return what a worker process has sent.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    FoldFailedError
        It cannot be read.
    """
    try:
        outcome: FoldOutcome = pickle.loads(content)
    except Exception as error:
        raise FoldFailedError(
            f"What the fold gave back in its worker process cannot be read here ({type(error).__name__}: {error})."
        ) from error
    return outcome
