"""An executor as a joblib backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from joblib.parallel import BatchedCalls, ParallelBackendBase

from mlflow_hpo.study.executors._crew import cancelled
from mlflow_hpo.study.executors.contract import Executor
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

# scikit-learn's. joblib counts the workers once, and those of a cluster may become more.
_DEFAULT_PRE_DISPATCH = "2*n_jobs"
_LEAST_AHEAD = 512
# Arguments of `_fit_and_score` that hold data, by name; X and y come by position.
_DATA_ARGUMENTS = ("fit_params", "score_params")


class ExecutorBackend(ParallelBackendBase):
    """Runs the folds of one search in an executor of its own.

    Parameters
    ----------
    make_executor : callable
        Makes the executor.
    to_task : callable
        Returns the fold in a batch of one.
    to_results : callable
        Returns what joblib gets for outcomes, and raises what a fold raised.
    nesting_level : int or None
        As of the backend that joblib would have used.
    may_grow : bool
        Whether the executor may have more workers later.
    """

    supports_retrieve_callback = True
    supports_return_generator = False

    def __init__(
        self,
        make_executor: Callable[[], Executor],
        to_task: Callable[[BatchedCalls], FoldTask],
        to_results: Callable[[list[FoldOutcome]], list[Any]],
        nesting_level: int | None,
        *,
        may_grow: bool = False,
    ) -> None:
        super().__init__(nesting_level=nesting_level)
        self._make_executor = make_executor
        self._may_grow = may_grow
        self._to_task = to_task
        self._to_results = to_results
        self._executor: Executor | None = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return the number of workers, 2 for a single one: joblib passes a backend by that runs one job at a time."""
        return max(2, self._executor.n_workers if self._executor is not None else 0)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Have an executor before the study opens: where there can be none, there is no run."""
        self.parallel = parallel
        self.start_call()
        if self._may_grow and parallel is not None and parallel.pre_dispatch == _DEFAULT_PRE_DISPATCH:
            parallel.pre_dispatch = max(_LEAST_AHEAD, 2 * self.effective_n_jobs(n_jobs))
        return self.effective_n_jobs(n_jobs)

    def start_call(self) -> None:
        """Have an executor."""
        self._executor = self._executor or self._make_executor()

    def submit(self, func: BatchedCalls, callback: Callable[[Any], None] | None = None) -> Future[FoldOutcome]:
        """Queue a fold; one that comes while all is being aborted is cancelled."""
        executor, task = self._executor, self._to_task(func)
        if executor is None:
            return cancelled()
        future = executor.submit(task, shared=_shared(task))
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[FoldOutcome]) -> list[Any]:
        """Return the result of a fold that has ended."""
        return self._to_results([out.result()])

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End all workers; the next call, if there is one, starts others."""
        self.terminate()

    def terminate(self) -> None:
        """End all workers."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()


def _shared(task: FoldTask) -> Iterator[Any]:
    yield from task.args[1:]
    yield task.template
    for name in _DATA_ARGUMENTS:
        yield from (task.kwargs.get(name) or {}).values()
