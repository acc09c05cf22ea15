"""Where a search's folds run: inline, in what joblib would have used, or in an executor of ours."""

from __future__ import annotations

import copy
import sys
from functools import partial
from pickle import PicklingError
from typing import Any

from joblib._parallel_backends import LokyBackend, MultiprocessingBackend, SequentialBackend, ThreadingBackend
from joblib.parallel import BatchedCalls, ParallelBackendBase

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.core.errors import UnsupportedOptionError
from mlflow_hpo.core.portable import SupportsPortable
from mlflow_hpo.study.executors._failed import failed_outcome
from mlflow_hpo.study.executors.cluster.pool import DaskPool
from mlflow_hpo.study.executors.errors import not_sent
from mlflow_hpo.study.executors.joblib_backend import ExecutorBackend
from mlflow_hpo.study.executors.local import LocalExecutor
from mlflow_hpo.study.executors.pool import WorkerPool, share_of_cores
from mlflow_hpo.study.fold import FoldTask
from mlflow_hpo.study.wrapping import FoldWrapper

# joblib's own, all of them on this machine.
_JOBLIBS: dict[str, type[ParallelBackendBase]] = {"loky": LokyBackend, "threading": ThreadingBackend}
_LOCAL = (SequentialBackend, ThreadingBackend, LokyBackend, MultiprocessingBackend)


def place_of(
    outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, n_jobs: int, *, is_chosen: bool
) -> ParallelBackendBase | None:
    """Return the backend that runs the folds; None runs them inline.

    Parameters
    ----------
    outer : ParallelBackendBase
        The backend that joblib would have used.
    wrapper : FoldWrapper
        Wraps the folds; is told how many threads an operation uses in them, where that is known.
    tracking : Tracking
    n_jobs : int
        The search's.
    is_chosen : bool
        Whether the user has set `outer`, or something that decides it, in joblib.

    Raises
    ------
    UnsupportedOptionError
        What the user asks for cannot be had together.
    """
    if tracking.backend == "dask" or (tracking.backend is None and _is_dask(outer)):
        return _on_dask(outer, wrapper, tracking, n_jobs)
    if tracking.isolation == "process":
        return _isolated(outer, wrapper, tracking, n_jobs)
    if tracking.backend is not None and not isinstance(outer, _JOBLIBS[tracking.backend]):
        outer = _JOBLIBS[tracking.backend](nesting_level=outer.nesting_level)
    n_workers = outer.effective_n_jobs(n_jobs)
    if n_workers == 1:
        wrapper.n_threads = settled_threads(tracking.n_threads)
        return None
    suits_threads = tracking.backend is None and not is_chosen and _shares_graphs(wrapper.estimator)
    if tracking.backend == "threading" or suits_threads:
        return _here(outer, wrapper, tracking, n_workers)
    return _tracked(outer, wrapper, tracking)


def settled_threads(n_threads: int | None) -> int | None:
    """Return how many threads each of TensorFlow's operations uses in this process; None where it is not loaded.

    Parameters
    ----------
    n_threads : int or None
        How many they are to use; None leaves that as it is.

    Raises
    ------
    UnsupportedOptionError
        They use another number, for good.
    """
    if "tensorflow" not in sys.modules:
        return None
    from mlflow_hpo.keras.threads import settle_threads

    in_use = settle_threads(n_threads)
    if n_threads not in (None, in_use):
        raise UnsupportedOptionError(
            f"Tracking(n_threads={n_threads}) comes too late: TensorFlow has been used in this process, and its "
            f"operations use {in_use} threads for good. Start the process anew, or train in others with "
            "isolation='process'."
        )
    return in_use


def _shares_graphs(estimator: Any) -> bool:
    """Whether all networks in an estimator are Keras models of ours, which threads train side by side."""
    networks = [part for part in (estimator, *estimator.get_params().values()) if isinstance(part, SupportsPortable)]
    return bool(networks) and all(getattr(network, "reuse", False) for network in networks)


def _here(outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, n_workers: int) -> ParallelBackendBase:
    """Return the backend whose folds run in threads of this process, and in processes if the study is long."""
    wrapper.n_threads = settled_threads(tracking.n_threads)
    make_executor = partial(
        LocalExecutor,
        n_workers,
        wrapper.hear,
        wrapper.n_threads or share_of_cores(n_workers),
        may_start_processes=tracking.backend is None,
    )
    return ExecutorBackend(make_executor, wrapper.wrap_one, wrapper.unwrap, outer.nesting_level)


def _isolated(outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, n_jobs: int) -> ParallelBackendBase:
    """Return the backend whose folds run in a pool of processes of our own."""
    if not isinstance(outer, _LOCAL):
        raise UnsupportedOptionError(
            "Tracking(isolation='process') runs trials in processes on this machine, but joblib is set to the backend "
            f"{type(outer).__name__}: leave one of them."
        )
    n_workers = outer.effective_n_jobs(n_jobs)
    n_threads = tracking.n_threads or outer.inner_max_num_threads
    wrapper.n_threads = n_threads or share_of_cores(n_workers)
    make_pool = partial(WorkerPool, n_workers, wrapper.hear, trial_seconds=tracking.trial_seconds, n_threads=n_threads)
    return ExecutorBackend(make_pool, wrapper.wrap_one, wrapper.unwrap, outer.nesting_level)


def _is_dask(backend: ParallelBackendBase) -> bool:
    return type(backend).__module__ == "joblib._dask"  # which imports Dask


def _on_dask(outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking, n_jobs: int) -> ParallelBackendBase:
    """Return the backend whose folds run on a Dask cluster."""
    current = outer.client if _is_dask(outer) and tracking.scheduler is None else None
    n_workers = 1 if current is not None else outer.effective_n_jobs(n_jobs)
    wrapper.n_threads = tracking.n_threads or outer.inner_max_num_threads
    make_pool = partial(
        DaskPool,
        n_workers,
        wrapper.hear,
        scheduler=tracking.scheduler,
        current=current,
        trial_seconds=tracking.trial_seconds,
        n_threads=wrapper.n_threads,
    )
    return ExecutorBackend(make_pool, wrapper.wrap_one, wrapper.unwrap, outer.nesting_level, may_grow=True)


def _tracked(outer: ParallelBackendBase, wrapper: FoldWrapper, tracking: Tracking) -> ParallelBackendBase:
    """Return a copy of one of joblib's backends that wraps what is submitted and unwraps what is retrieved."""
    if tracking.n_threads is not None:
        raise UnsupportedOptionError(
            f"Tracking(n_threads=...) is not for joblib's {type(outer).__name__}: use its inner_max_num_threads, or "
            "isolation='process', or backend='threading'."
        )
    backend = copy.copy(outer)
    in_process = bool(getattr(outer, "uses_threads", False))

    def submit(func: BatchedCalls, callback: Any = None) -> Any:
        batch = wrapper.wrap(func, in_process=in_process)
        tasks = [function for function, _, _ in batch.items]
        return outer_submit(batch, None if callback is None else lambda out: callback((out, tasks)))

    def retrieve_result_callback(sent: tuple[Any, list[Any]]) -> list[Any]:
        out, tasks = sent
        try:
            results = outer_retrieve_callback(out)
        except PicklingError as error:
            if not all(isinstance(task, FoldTask) for task in tasks):
                raise
            results = [failed_outcome(task, not_sent(error.__cause__ or error)) for task in tasks]
        return wrapper.unwrap(results)

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
