"""A pool loses the fold that a dead worker was running, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fragile import fold, hear, task
from scipy import sparse
from study_helpers import TIMEOUT, is_gone, wait_until

from mlflow_hpo.study.executors import pool as pool_module
from mlflow_hpo.study.executors._ledger import TrialLedger
from mlflow_hpo.study.executors.errors import TrialTimeoutError, WorkerDiedError, cause_of_death
from mlflow_hpo.study.executors.pool import WorkerPool
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

LARGE = np.arange(400_000.0).reshape(1000, 400)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, hear, trial_seconds=TIMEOUT) as pool:
        yield pool


def test_folds_run_in_workers_that_stay(pool: WorkerPool) -> None:
    futures = [pool.submit(task(trial=trial)) for trial in range(20)]
    outcomes = [future.result(TIMEOUT) for future in futures]
    assert [outcome.trial for outcome in outcomes] == list(range(20))
    pids = {outcome.result["pid"] for outcome in outcomes}
    assert os.getpid() not in pids
    assert len(pids) <= 2


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (
            "unpicklable result",
            r"What the fold gave back could not leave its worker process \(TypeError: cannot pickle",
        ),
        ("quit", r"The fold was ended in its worker process \(SystemExit: 3\)"),
    ],
)
def test_what_cannot_come_back_fails_its_fold(pool: WorkerPool, behaviour: str, message: str) -> None:
    pid = pool.submit(task()).result(TIMEOUT).result["pid"]
    outcome = pool.submit(task(behaviour, trial=101)).result(TIMEOUT)
    assert message.replace("\\", "") in outcome.result["fit_error"]
    assert np.isnan(outcome.result["test_scores"])
    assert outcome.result["n_test_samples"] == 2
    assert not is_gone(pid)


def test_an_exception_that_does_not_come_back_is_told(pool: WorkerPool) -> None:
    outcome = pool.submit(task("picky", trial=102, error_score="raise")).result(TIMEOUT)
    assert "PickyError" in str(outcome.exception)
    assert "in fold" in str(outcome.exception)  # where it was raised


def test_an_unpicklable_parameter_is_named(pool: WorkerPool) -> None:
    outcome = pool.submit(task(trial=103, parameters={"lock": threading.Lock()})).result(TIMEOUT)
    assert (
        "the candidate's 'lock' cannot be pickled (TypeError: cannot pickle '_thread.lock'"
        in outcome.result["fit_error"]
    )
    assert outcome.lost is None  # it would not run another time either


def test_exceptions_are_the_folds_own(pool: WorkerPool) -> None:
    outcome = pool.submit(task("raise", trial=104)).result(TIMEOUT)
    assert isinstance(outcome.exception, ValueError)
    assert outcome.lost is None
    assert isinstance(pool.submit(task("memory", trial=105)).result(TIMEOUT).exception, MemoryError)


@pytest.mark.parametrize("order", ["C", "F", "K"])
def test_large_arrays_are_mapped_and_the_same(pool: WorkerPool, order: str) -> None:
    X = LARGE[:, ::1] if order == "C" else np.asfortranarray(LARGE) if order == "F" else LARGE.T[:, ::2]
    futures = [pool.submit(task(trial=trial, X=X), shared=[X]) for trial in range(8)]
    results = [future.result(TIMEOUT).result for future in futures]
    assert {result["X"]["flags"] for result in results} == {(False, order != "C")}
    assert {result["X"]["sum"] for result in results} == {float(X.sum())}
    assert len({(result["pid"], result["X"]["id"]) for result in results}) <= 2


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (pd.DataFrame(LARGE), "DataFrame"),
        (sparse.csr_matrix(LARGE), "csr_matrix"),
        (np.arange(6.0).reshape(3, 2), "ndarray"),
        (np.array(["a", None], dtype=object), "ndarray"),
        (["some", "text"], "list"),
    ],
)
def test_other_data_is_made_once_in_each_worker(pool: WorkerPool, X: Any, kind: str) -> None:
    futures = [pool.submit(task(trial=trial, X=X), shared=[X]) for trial in range(8)]
    results = [future.result(TIMEOUT).result for future in futures]
    assert {result["X"]["type"] for result in results} == {kind}
    assert len({(result["pid"], result["X"]["id"]) for result in results}) <= 2


def test_the_users_own_memory_maps_are_mapped(pool: WorkerPool, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", LARGE)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    result = pool.submit(task(X=X), shared=[X]).result(TIMEOUT).result
    assert result["X"]["sum"] == float(LARGE.sum())
    assert result["X"]["flags"] == (False, False)


def test_workers_die_and_the_others_folds_go_on(tmp_path: Path) -> None:
    with WorkerPool(2, hear, n_threads=1) as pool:
        futures: list[Future[FoldOutcome]] = [
            pool.submit(task("kill", trial=0)),
            pool.submit(task("kill once", trial=1, parameters={"marker": str(tmp_path / "killed")})),
            *[pool.submit(task("kill", trial=0, fold_number=number)) for number in (1, 2)],
            *[pool.submit(task(trial=trial)) for trial in range(2, 8)],
        ]
        given_up, retried, *rest = [future.result(TIMEOUT) for future in futures]
        assert given_up.lost == (
            "The trial is given up: its worker process was killed "
            "by signal 9 (SIGKILL: out of memory, or killed by hand), twice."
        )
        assert {outcome.lost for outcome in rest[:2]} == {given_up.lost}
        assert retried.lost is None
        assert [outcome.result["test_scores"] for outcome in [retried, *rest[2:]]] == [1.0] * 7
        environment = rest[-1].result["X"]["environment"]
        assert environment == {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
        assert rest[-1].result["X"]["cwd"] == os.getcwd()


def test_recorded_folds_need_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    with WorkerPool(1, hear) as pool:
        monkeypatch.setattr(pool_module, "WorkerProcess", None)
        recorded = FoldTask(0, 0, fold, (), {}, hear, keep_model=False, recorded={"test_scores": 0.5})
        assert pool.submit(recorded).result(TIMEOUT).result == {"test_scores": 0.5}
        with pytest.raises(TypeError):  # what a pool itself fails of is not hidden
            pool.submit(task()).result(TIMEOUT)


def test_a_worker_that_dies_idle_costs_nothing_and_close_leaves_nobody() -> None:
    pool = WorkerPool(1, hear)
    first = pool.submit(task()).result(TIMEOUT).result["pid"]
    os.kill(first, signal.SIGKILL)
    second = pool.submit(task()).result(TIMEOUT)
    assert second.lost is None
    assert second.result["pid"] != first
    pool.close()
    assert is_gone(first)
    assert is_gone(second.result["pid"])
    assert pool.submit(task()).cancelled()


def test_time_is_up_for_a_trial_that_hangs_and_a_busy_pool_closes(tmp_path: Path) -> None:
    with WorkerPool(1, hear, trial_seconds=0.5) as pool:
        begin = time.monotonic()
        hung = pool.submit(task("hang", parameters={"marker": str(tmp_path)}, error_score="raise"))
        also = pool.submit(task(fold_number=1))
        assert isinstance(hung.result(TIMEOUT).exception, TrialTimeoutError)
        assert "have run for 0.5 s, the limit that Tracking(trial_seconds=...) sets" in hung.result().lost
        assert also.result(TIMEOUT).lost == hung.result().lost
        assert time.monotonic() - begin < TIMEOUT / 2
    (pid,) = (int(path.name) for path in tmp_path.iterdir())
    assert is_gone(pid)


def test_a_busy_pool_closes_at_once(tmp_path: Path) -> None:
    pool = WorkerPool(1, hear)
    running = pool.submit(task("hang", parameters={"marker": str(tmp_path)}))
    waiting = pool.submit(task())
    wait_until(lambda: list(tmp_path.iterdir()))
    pool.close()
    (pid,) = (int(path.name) for path in tmp_path.iterdir())
    assert is_gone(pid)
    assert waiting.cancelled()
    with pytest.raises(CancelledError):
        running.result(TIMEOUT)


def test_a_trial_has_one_limit_for_all_its_folds() -> None:
    ledger = TrialLedger(trial_seconds=10.0)
    assert ledger.remaining(0) == pytest.approx(10.0)
    with ledger.running(0), ledger.running(0):
        assert ledger.remaining(0) == pytest.approx(5.0, abs=0.5)
    assert ledger.remaining(1) == 10.0
    ledger.note_death(0, -11)
    assert ledger.verdict(0) is None
    ledger.note_death(0, 1)
    assert isinstance(ledger.verdict(0), WorkerDiedError)
    assert str(ledger.verdict(0)).endswith(
        "(SIGSEGV: a segmentation fault in compiled code), then ended by itself with exit code 1."
    )


def test_causes_of_death_are_told() -> None:
    assert cause_of_death(-99) == "was killed by signal 99"
    assert cause_of_death(None) == "was lost with its Dask worker"
