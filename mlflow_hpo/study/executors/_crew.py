"""A crew: threads that take folds from one queue, each with a seat of its own on which they run."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from mlflow_hpo.study.executors._turns import PoolClosed
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

# Makes a seat in the thread that is going to use it; what it gives runs a fold.
Seating = Callable[[], AbstractContextManager[Callable[[FoldTask], FoldOutcome]]]


@dataclass(frozen=True, eq=False)
class _Job:
    """A fold that waits or runs."""

    task: FoldTask
    future: Future[FoldOutcome] = field(default_factory=Future)


def cancelled() -> Future[FoldOutcome]:
    """Return the future of a fold that is never going to run."""
    future: Future[FoldOutcome] = Future()
    future.cancel()
    return future


class Crew:
    """Threads that run folds. Each starts when there is work for it, and stays.

    A fold meets the thread that has run others of its trial, if it can: what is compiled there serves it too. Nobody
    idles for that.

    Attributes
    ----------
    is_closed : bool
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._vacancies: deque[Seating] = deque()
        self._dismissed: Counter[Seating] = Counter()
        self._waiting: list[_Job] = []
        self._threads: list[threading.Thread] = []
        self._trials: dict[threading.Thread, int] = {}
        self._n_idle = 0
        self._changed = threading.Condition()

    def hire(self, n: int, seating: Seating) -> None:
        """Have more threads, with such seats."""
        with self._changed:
            self._vacancies.extend([seating] * n)
            self._fill_vacancies()

    def dismiss(self, seating: Seating) -> None:
        """Have one thread less with such a seat: it goes when the fold that it runs has ended."""
        with self._changed:
            self._dismissed[seating] += 1
            self._changed.notify_all()

    def submit(self, task: FoldTask) -> Future[FoldOutcome]:
        """Queue a fold; its future is cancelled when the crew is closed before it has ended."""
        job = _Job(task)
        with self._changed:
            if self.is_closed:
                return cancelled()
            self._waiting.append(job)
            self._fill_vacancies()
            self._changed.notify()
        return job.future

    def close(self, patience: float | None = None) -> None:
        """Cancel what waits, and wait for what runs.

        Parameters
        ----------
        patience : float or None
            Seconds to wait for each thread; None waits as long as it takes.
        """
        with self._changed:
            self.is_closed = True
            dropped, self._waiting = self._waiting, []
            self._changed.notify_all()
        for job in dropped:
            job.future.cancel()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(patience)

    def _fill_vacancies(self) -> None:
        while self._vacancies and self._n_idle < len(self._waiting) and not self.is_closed:
            seating = self._vacancies.popleft()
            thread = threading.Thread(target=self._work, args=(seating,), name="mlflow-hpo-worker", daemon=True)
            self._threads.append(thread)
            self._n_idle += 1
            thread.start()

    def _work(self, seating: Seating) -> None:
        with seating() as run:
            for job in self._jobs(seating):
                try:
                    outcome = run(job.task)
                except PoolClosed:
                    job.future.set_exception(CancelledError())
                except BaseException as error:  # no process could be started, say: whoever waits is to know
                    job.future.set_exception(error)
                else:
                    job.future.set_result(outcome)

    def _jobs(self, seating: Seating) -> Iterator[_Job]:
        thread = threading.current_thread()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self.is_closed or self._dismissed[seating])
                self._n_idle -= 1
                if self.is_closed or self._dismissed[seating]:
                    self._dismissed[seating] -= 1
                    self._trials.pop(thread, None)
                    return
                job = self._next_job(thread)
            if job.future.set_running_or_notify_cancel():
                yield job
            with self._changed:
                self._n_idle += 1

    def _next_job(self, thread: threading.Thread) -> _Job:
        """Take a fold of the thread's own trial, else one of a trial that nobody is at, else what waits longest."""
        mine = self._trials.pop(thread, None)
        others = set(self._trials.values())
        job = min(self._waiting, key=lambda job: (job.task.trial != mine, job.task.trial in others))
        self._waiting.remove(job)
        self._trials[thread] = job.task.trial
        return job
