"""`WorkerPool`: runs folds in worker processes, and outlives them.

Each worker has a thread here that looks after it: starts it, sends it a fold, waits, and replaces it when it dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from joblib import cpu_count

from mlflow_hpo.study.executors._crew import Crew
from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors._process import WorkerProcess
from mlflow_hpo.study.executors._seat import Seat
from mlflow_hpo.study.executors._sending import Sender
from mlflow_hpo.study.executors._turns import Turns
from mlflow_hpo.study.executors.contract import Hear
from mlflow_hpo.study.fold import FoldOutcome, FoldTask


def share_of_cores(n_workers: int) -> int:
    """Return how many of this machine's cores each of so many workers has."""
    return max(1, int(cpu_count()) // n_workers)


class ProcessSeats:
    """Seats for a crew, each with a worker process that is replaced when it dies.

    Parameters
    ----------
    crew : Crew
        Whose seats they are.
    hear : callable
        Takes the events of folds.
    n_threads : int
        How many threads numerical libraries use in a worker.
    is_explicit : bool
        Whether they do so whatever the environment says.
    trial_seconds : float or None
        How long the folds of a trial may run, all together.
    """

    def __init__(
        self, crew: Crew, hear: Hear, n_threads: int, *, is_explicit: bool, trial_seconds: float | None = None
    ) -> None:
        self.sender = Sender()
        self._crew = crew
        self._hear = hear
        self._n_threads = n_threads
        self._is_explicit = is_explicit
        self._ledger = TrialLedger(trial_seconds)

    @contextmanager
    def seat(self) -> Iterator[Callable[[FoldTask], FoldOutcome]]:
        """Return what runs a fold in a worker process."""
        with Seat(lambda: WorkerProcess(self._n_threads, is_explicit=self._is_explicit)) as seat:
            yield lambda task: self._turns(task).run(seat)

    def _turns(self, task: FoldTask) -> Turns:
        return Turns(task, self.sender, self._ledger, self._hear, lambda: self._crew.is_closed)


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
        self._crew = Crew()
        self._seats = ProcessSeats(
            self._crew,
            hear,
            n_threads or share_of_cores(n_workers),
            is_explicit=n_threads is not None,
            trial_seconds=trial_seconds,
        )
        self._crew.hire(n_workers, self._seats.seat)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def submit(self, task: FoldTask, shared: Iterable[Any] = ()) -> Future[FoldOutcome]:
        """Queue a fold.

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
        self._seats.sender.share(shared)
        return self._crew.submit(task)

    def close(self) -> None:
        """End all workers, those that are busy at once; folds that have not ended are cancelled."""
        self._crew.close()
        self._seats.sender.close()
