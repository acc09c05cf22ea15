"""The seam: a joblib backend on which an unmodified search runs its folds, each of them seen by the study.

`StudyBackend` stands in for the backend that joblib would have used. Where that one would run a single job at a time,
the folds run inline, in the main thread, when their results are retrieved: no recursion, and tracebacks stay. Where it
would run several, it does so itself, through a copy of it that wraps each fold on its way out and unwraps it on its way
back. Where trials are isolated, or run on a Dask cluster, worker processes of our own stand in for both (`executors/`).
Only the search's own `_fit_and_score` calls are wrapped; all else that joblib runs passes through untouched.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from joblib import parallel_config
from joblib._parallel_backends import (
    FallbackToBackend,
    LokyBackend,
    MultiprocessingBackend,
    SequentialBackend,
    ThreadingBackend,
)
from joblib.parallel import BatchedCalls, ParallelBackendBase, get_active_backend
from sklearn.model_selection._search import BaseSearchCV

from mlflow_hpo.core.config import NanLoss, Tracking
from mlflow_hpo.core.errors import UnsupportedOptionError
from mlflow_hpo.study.channel import EventChannel
from mlflow_hpo.study.executors._worker import tell_study
from mlflow_hpo.study.executors.cluster.pool import DaskPool
from mlflow_hpo.study.executors.joblib_backend import ExecutorBackend
from mlflow_hpo.study.executors.pool import WorkerPool
from mlflow_hpo.study.fold import FoldEvent, FoldOutcome, FoldTask
from mlflow_hpo.study.study import Study
from mlflow_hpo.tracking.models import ModelTemplate

_FIT_AND_SCORE = "_fit_and_score"
# joblib's own, all of them on this machine.
_LOCAL = (SequentialBackend, ThreadingBackend, LokyBackend, MultiprocessingBackend)


class FoldWrapper:
    """Turns a search's folds into tasks that the study hears of, and their outcomes back into results.

    Parameters
    ----------
    search : BaseSearchCV
        The search whose folds they are.

    Attributes
    ----------
    before_fold : callable
        Called with a candidate's number in its call before each of its folds is made a task.
    """

    def __init__(self, search: BaseSearchCV) -> None:
        self._search = search
        self._attached: Study | None = None
        self._template: ModelTemplate | None = None
        self._nan_loss: NanLoss = "ignore"
        self._channel: EventChannel | None = None
        self.before_fold: Callable[[int], object] = lambda candidate: None

    def attach(self, study: Study, template: ModelTemplate | None, nan_loss: NanLoss = "ignore") -> None:
        """Say which study the folds belong to: it opens after joblib has taken the backend, before the first fold.

        Parameters
        ----------
        study : Study
        template : ModelTemplate or None
            What is the same for all models; None where no trial's model is kept.
        nan_loss : {"fail", "ignore"}
            Whether an epoch whose loss is NaN or infinite ends its fold.
        """
        self._nan_loss = nan_loss
        self._attached = study
        self._template = template

    @property
    def _study(self) -> Study:
        assert self._attached is not None, "a fold came before its study was open"
        return self._attached

    def wrap(self, batch: BatchedCalls, *, in_process: bool) -> BatchedCalls:
        """Put a task in the place of each fold of the batch."""
        batch.items = [
            (self._task(function, args, kwargs, self._emit(in_process)), (), {})
            if self._is_ours(function, kwargs)
            else item
            for item in batch.items
            for function, args, kwargs in [item]
        ]
        return batch

    def wrap_one(self, batch: BatchedCalls) -> FoldTask:
        """Return the fold that is all there is in a batch, for an executor."""
        ((function, args, kwargs),) = batch.items
        if not self._is_ours(function, kwargs):
            raise UnsupportedOptionError(
                f"Worker processes of ours run the folds of a search, and {type(self._search).__name__} runs "
                f"something else in parallel, too: {function!r}."
            )
        return self._task(function, args, kwargs, tell_study)

    def hear(self, event: FoldEvent) -> bool:
        """Pass an event of a fold on to the study."""
        return self._study.hear(event)

    def unwrap(self, results: list[Any]) -> list[Any]:
        """Tell the study of each outcome, and return what the search waits for; raise what a fold raised."""
        return [self._result(item) if isinstance(item, FoldOutcome) else item for item in results]

    def close(self) -> None:
        """Hear no more of other processes."""
        if self._channel is not None:
            self._channel.close()

    def _is_ours(self, function: Any, kwargs: dict[str, Any]) -> bool:
        name = getattr(getattr(function, "function", function), "__name__", None)
        return name == _FIT_AND_SCORE and kwargs.get("caller") is self._search

    def _task(
        self,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        emit: Callable[[FoldEvent], bool],
    ) -> FoldTask:
        in_process = emit == self.hear
        candidate, fold = kwargs["candidate_progress"][0], kwargs["split_progress"][0]
        try:
            self.before_fold(candidate)
        except Exception as error:  # joblib's thread would die of it, and the search wait for ever
            return FoldTask(-1, fold, _raising, (error,), {}, emit, keep_model=False)
        trial = self._study.trial_number(candidate)
        # An executor asks when it has a worker for the fold; of joblib's backends nobody does.
        skipped, is_queued = partial(self._study.skipped_result, trial), emit == tell_study
        recorded = None if is_queued else skipped()
        return FoldTask(
            trial=trial,
            fold=fold,
            function=function,
            args=args,
            kwargs=kwargs if in_process else _without_search(kwargs),
            emit=emit,
            keep_model=self._template is not None,
            template=None if in_process else self._template,
            run=self._run_of(trial, args[0], in_process),
            nan_loss=self._nan_loss,
            tags=self._study.run.tags_inside(trial),
            recorded=recorded or self._study.known_result(trial, fold, kwargs["train"], kwargs["test"]),
            ask=skipped if is_queued else None,
        )

    def _emit(self, in_process: bool) -> Callable[[FoldEvent], bool]:
        if in_process:
            return self.hear
        if self._channel is None:
            self._channel = EventChannel(self._study.hear)
        return self._channel.remote

    def _run_of(self, trial: int, estimator: Any, in_process: bool) -> Any:
        if in_process:
            return lambda: self._study.trial_run(trial)
        # Waiting for the run costs time, so only where a study can begin inside the fold.
        return _Known(*self._study.trial_run(trial)) if _has_tracked_search(estimator) else None

    def _result(self, outcome: FoldOutcome) -> Any:
        self._study.end_fold(outcome)
        if outcome.exception is not None:
            if outcome.exception.__traceback__ is None:  # it has not come along from another process
                outcome.exception.add_note(f"There it was:\n{outcome.traceback}")
            raise outcome.exception
        survives = getattr(self._search, "survives_failed_candidates", False)
        return {**(outcome.result or {}), "fit_error": None} if survives else outcome.result


def _without_search(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave out what scikit-learn's callbacks ask for, if there are none.

    The search need not pickle, and is less to import. The context knows all folds of the search: with each of them all
    of it would travel, and a fold would cost more the longer the search is.
    """
    if getattr(kwargs["caller"], "_skl_callbacks", None):
        return kwargs
    return {name: None if name in ("caller", "callback_ctx") else value for name, value in kwargs.items()}


def _raising(error: Exception) -> Any:
    raise error


class _Known:
    """A trial's run as it is told to another process."""

    def __init__(self, tracking_uri: str, run_id: str) -> None:
        self._run = (tracking_uri, run_id)

    def __call__(self) -> tuple[str, str]:
        return self._run


def _has_tracked_search(estimator: Any) -> bool:
    nested = [estimator, *estimator.get_params(deep=True).values()]
    return any(isinstance(value, BaseSearchCV) and getattr(value, "tracking", False) is not False for value in nested)


class StudyBackend(ParallelBackendBase):
    """Runs folds inline, or hands over to the backend that would have run them.

    Parameters
    ----------
    outer : ParallelBackendBase
        The backend that joblib would have used.
    wrapper : FoldWrapper
        Wraps the search's folds.
    tracking : Tracking
        Whether trials run in processes of their own, and for how long.
    """

    supports_retrieve_callback = False
    supports_sharedmem = True
    uses_threads = True

    def __init__(self, outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking) -> None:
        super().__init__(nesting_level=outer.nesting_level)
        self.default_n_jobs = outer.default_n_jobs
        is_loky = tracking.backend == "loky" and not isinstance(outer, LokyBackend)
        self._outer = LokyBackend(nesting_level=outer.nesting_level) if is_loky else outer
        self._wrapper = wrapper
        self._tracking = tracking

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Stay inline for a single job; else fall back, in joblib's sense, to the outer backend or to an executor."""
        if self._tracking.backend == "dask" or (self._tracking.backend is None and _is_dask(self._outer)):
            raise FallbackToBackend(_on_dask(self._outer, self._wrapper, self._tracking, n_jobs))
        if self._tracking.isolation == "process":
            raise FallbackToBackend(_isolated(self._outer, self._wrapper, self._tracking, n_jobs))
        if self._outer.effective_n_jobs(n_jobs) != 1:
            raise FallbackToBackend(_tracked(self._outer, self._wrapper))
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


def _isolated(outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, n_jobs: int) -> ParallelBackendBase:
    """Return the backend whose folds run in a pool of processes of our own."""
    if not isinstance(outer, _LOCAL):
        raise UnsupportedOptionError(
            "Tracking(isolation='process') runs trials in processes on this machine, but joblib is set to the backend "
            f"{type(outer).__name__}: leave one of them."
        )
    n_workers = outer.effective_n_jobs(n_jobs)
    n_threads = outer.inner_max_num_threads
    make_pool = partial(WorkerPool, n_workers, wrapper.hear, trial_seconds=tracking.trial_seconds, n_threads=n_threads)
    return ExecutorBackend(make_pool, wrapper.wrap_one, wrapper.unwrap, outer.nesting_level)


def _is_dask(backend: ParallelBackendBase) -> bool:
    return type(backend).__module__ == "joblib._dask"  # which imports Dask


def _on_dask(outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, n_jobs: int) -> ParallelBackendBase:
    """Return the backend whose folds run on a Dask cluster."""
    current = outer.client if _is_dask(outer) and tracking.scheduler is None else None
    n_workers = 1 if current is not None else outer.effective_n_jobs(n_jobs)
    make_pool = partial(
        DaskPool,
        n_workers,
        wrapper.hear,
        scheduler=tracking.scheduler,
        current=current,
        trial_seconds=tracking.trial_seconds,
        n_threads=outer.inner_max_num_threads,
    )
    return ExecutorBackend(make_pool, wrapper.wrap_one, wrapper.unwrap, outer.nesting_level, may_grow=True)


def _tracked(outer: ParallelBackendBase, wrapper: FoldWrapper) -> ParallelBackendBase:
    """Return a copy of a backend that wraps what is submitted and unwraps what is retrieved."""
    backend = copy.copy(outer)
    in_process = bool(getattr(outer, "uses_threads", False))

    def submit(func: BatchedCalls, callback: Any = None) -> Any:
        return outer_submit(wrapper.wrap(func, in_process=in_process), callback)

    def retrieve_result_callback(out: Any) -> list[Any]:
        return wrapper.unwrap(outer_retrieve_callback(out))

    def retrieve_result(out: Any, timeout: float | None = None) -> list[Any]:
        return wrapper.unwrap(outer_retrieve(out, timeout=timeout))

    outer_submit = backend.submit
    outer_retrieve_callback = backend.retrieve_result_callback
    outer_retrieve = backend.retrieve_result
    backend.submit = submit
    backend.retrieve_result_callback = retrieve_result_callback
    backend.retrieve_result = retrieve_result
    # A batch of several folds would hide when each of them ends.
    backend.compute_batch_size = lambda: 1
    return backend


@contextmanager
def installed(backend_for: Callable[[ParallelBackendBase], StudyBackend]) -> Iterator[Callable[[], None]]:
    """Make joblib's next `Parallel` take a study's backend; what is yielded restores the outer context early.

    Parameters
    ----------
    backend_for : callable
        Makes the study's backend around the one that joblib would have used.
    """
    config = parallel_config(backend=backend_for(get_active_backend()[0]))
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
