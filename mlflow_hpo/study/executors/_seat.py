"""A place for folds: one worker process after the other, each replaced when it has died."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mlflow_hpo.study.executors._process import PatienceEnded, WorkerDead, WorkerProcess
from mlflow_hpo.study.executors._sending import Parcel
from mlflow_hpo.study.executors._worker import EVENT, OUTCOME, STARTED
from mlflow_hpo.study.executors.errors import FoldFailedError, cause_of_death


class WorkerLost(Exception):  # noqa: N818  (a message between modules, no error that anybody sees)
    """The worker process has died over a fold.

    Parameters
    ----------
    exit_code : int
        How it ended; a signal's number is negative.
    crash : str
        Where compiled code in it has crashed; empty where nothing has.
    """

    def __init__(self, exit_code: int, crash: str) -> None:
        super().__init__(f"{cause_of_death(exit_code)}. {crash}".strip())
        self.exit_code = exit_code


class Attempt(Protocol):
    """One attempt at a fold, as who has ordered it sees it."""

    def started(self) -> None:
        """Take note that the fold begins: all that it needs has been imported."""

    def heard(self, event: bytes) -> None:
        """Take a pickled event of the fold."""

    def patience(self) -> float:
        """Return for how many seconds the fold may still go on; asked again and again."""
        ...


class Seat:
    """Runs folds in a worker process, and replaces it when it dies. Used by one thread at a time.

    Parameters
    ----------
    start_worker : callable
        Makes a worker process, which ends with the thread that has made it.
    """

    def __init__(self, start_worker: Callable[[], WorkerProcess]) -> None:
        self._start_worker = start_worker
        self._worker: WorkerProcess | None = None

    def run(self, parcel: Parcel, attempt: Attempt) -> bytes:
        """Run a fold and return its pickled outcome.

        Parameters
        ----------
        parcel : Parcel
        attempt : Attempt

        Raises
        ------
        WorkerLost
        PatienceEnded
            It has gone on for too long; nothing is left of its process.
        FoldFailedError
            It could not begin in the worker process, or not come back from there.
        """
        worker = self._living_worker()
        try:
            worker.send(parcel)
            kind, content = self._reply(worker, attempt)
        except WorkerDead:
            self._worker = None
            raise WorkerLost(worker.bury(), worker.last_words) from None
        except BaseException:  # patience has ended, or what the attempt is told to cannot take it
            self._worker = None
            worker.kill()
            raise
        if kind != OUTCOME:
            raise FoldFailedError(content.decode())
        return content

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def close(self) -> None:
        """Let the worker end."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _living_worker(self) -> WorkerProcess:
        if self._worker is not None and not self._worker.is_alive:  # it has died over nothing
            self._worker.bury()
            self._worker = None
        self._worker = self._worker or self._start_worker()
        return self._worker

    @staticmethod
    def _reply(worker: WorkerProcess, attempt: Attempt) -> tuple[bytes, bytes]:
        while True:
            kind, content = worker.receive(attempt.patience)
            if kind == STARTED:
                attempt.started()
            elif kind == EVENT:
                attempt.heard(content)
            else:
                return kind, content


__all__ = ["Attempt", "PatienceEnded", "Seat", "WorkerLost"]
