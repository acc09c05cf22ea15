"""What a place where folds run offers to the study; `pool` and `cluster` are the places there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Protocol

from mlflow_hpo.study.fold import FoldEvent, FoldOutcome, FoldTask

# Takes what happens in folds while they run, from any thread, and each fold's in its order.
Hear = Callable[[FoldEvent], object]


class Executor(Protocol):
    """Runs folds elsewhere than in the thread that asks for them.

    It is made with a `Hear`, which hears of a fold's epochs before its outcome is there. What ends the process that a
    fold runs in costs that fold alone, which runs once more; a trial that has lost two, or has run for too long, is
    given up: its folds have outcomes that say so (`FoldOutcome.lost`).
    """

    @property
    def n_workers(self) -> int:
        """How many folds run at a time, now."""
        ...

    def submit(self, task: FoldTask, shared: Iterable[Any] = ()) -> Future[FoldOutcome]:
        """Queue a fold.

        Parameters
        ----------
        task : FoldTask
            Emits with `tell_study`.
        shared : iterable of object
            Parts of the task that are the same objects in many tasks: the data. They are sent once, and do not change.

        Returns
        -------
        Future
            Of the fold's outcome, whatever that is, set by another thread than the caller's; cancelled when the
            executor is closed before there is one. It raises what keeps the executor itself from working.
        """
        ...

    def close(self) -> None:
        """End all that runs, at once; from any thread, more than once."""
        ...
