"""The seam: a joblib backend on which an unmodified search runs its folds, each of them seen by the study.

`StudyBackend` stands in for the backend that joblib would have used. A job at a time runs inline, in the main thread,
when its result is retrieved: no recursion, and tracebacks stay. Several jobs run elsewhere (`places.py`). Only the
search's own `_fit_and_score` calls are wrapped; all else that joblib runs passes through untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel, parallel_config
from joblib._parallel_backends import FallbackToBackend
from joblib.parallel import BatchedCalls, ParallelBackendBase, default_parallel_config, get_active_backend

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.study.places import place_of
from mlflow_hpo.study.wrapping import FoldWrapper

# What in joblib's configuration decides where jobs run.
_DECIDES = ("backend", "prefer", "require")


class StudyBackend(ParallelBackendBase):
    """Runs folds inline, or hands over to the backend that would have run them.

    Parameters
    ----------
    outer : ParallelBackendBase
        The backend that joblib would have used.
    wrapper : FoldWrapper
        Wraps the search's folds.
    tracking : Tracking
        Where trials are to run.
    is_chosen : bool
        Whether the user has decided on `outer` in joblib.
    """

    supports_retrieve_callback = False
    supports_sharedmem = True
    uses_threads = True

    def __init__(
        self, outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, *, is_chosen: bool
    ) -> None:
        super().__init__(nesting_level=outer.nesting_level)
        self.default_n_jobs = outer.default_n_jobs
        self._outer = outer
        self._wrapper = wrapper
        self._tracking = tracking
        self._is_chosen = is_chosen

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Stay inline for a single job; else fall back, in joblib's sense, to another backend."""
        place = place_of(self._outer, self._wrapper, self._tracking, n_jobs, is_chosen=self._is_chosen)
        if place is not None:
            raise FallbackToBackend(place)
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return 2: joblib passes a backend by that runs one job at a time."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return 2

    def submit(self, func: BatchedCalls, callback: Callable[[Any], None] | None = None) -> Any:
        """Queue a batch; it runs when its result is retrieved."""
        return func, callback

    def retrieve_result(self, out: Any, timeout: float | None = None) -> list[Any]:
        """Run a queued batch and return its results."""
        func, callback = out
        # Only now: what is to be trained, and whether more is, shows as the folds before it end.
        batch = self._wrapper.wrap(func, in_process=True)
        # Not `batch()`: that would open a context for nested calls, and sequential joblib opens none.
        results = self._wrapper.unwrap([function(*args, **kwargs) for function, args, kwargs in batch.items])
        callback(results)
        return results

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """Return the active backend, as joblib's sequential one does."""
        backend: tuple[ParallelBackendBase, int | None] = get_active_backend()
        return backend


@contextmanager
def installed(wrapper: FoldWrapper, tracking: Tracking) -> Iterator[Callable[[], None]]:
    """Make joblib's next `Parallel` take a study's backend; what is yielded restores the outer context early.

    Parameters
    ----------
    wrapper : FoldWrapper
        Wraps the search's folds.
    tracking : Tracking
        Where trials are to run.
    """
    active = getattr(parallel._backend, "config", default_parallel_config)
    is_chosen = any(active[name] is not default_parallel_config[name] for name in _DECIDES)
    outer = get_active_backend()[0]
    config = parallel_config(backend=StudyBackend(outer, wrapper, tracking, is_chosen=is_chosen))
    is_installed = True

    def restore() -> None:
        nonlocal is_installed
        if is_installed:
            is_installed = False
            config.unregister()

    try:
        yield restore
    finally:
        restore()
