"""A Dask cluster in one process: real scheduler, real workers, and threads in the place of their worker processes."""

from __future__ import annotations

import argparse
import os
import pickle
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cloudpickle
import dask
from distributed import LocalCluster

from mlflow_hpo.study.executors._process import PatienceEnded
from mlflow_hpo.study.executors._receiving import Receiver
from mlflow_hpo.study.executors._sending import Parcel
from mlflow_hpo.study.executors._worker import EVENT, OUTCOME, STARTED
from mlflow_hpo.study.executors.cluster import _host

# What 64 workers in one process would do 64 times, and what is none of the coordinator's cost.
QUIET = {
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.worker.profile.enabled": False,
}


class WorkerThread:
    """What a `WorkerProcess` does, in a thread: 64 processes that sleep would not fit beside what is measured."""

    is_alive = True
    last_words = ""

    def __init__(self, n_threads: int, *, is_explicit: bool = False) -> None:
        self._receiver = Receiver()
        self._known: set[int] = set()
        self._messages: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()

    def send(self, parcel: Parcel) -> None:
        for shared in parcel.files:
            if shared.number not in self._known:
                self._known.add(shared.number)
                self._receiver.take_file(shared.number, shared.spans, os.dup(shared.file.fileno()))
        task = replace(self._receiver.unpack(parcel.pickled), emit=self._tell)
        threading.Thread(target=self._run, args=(task,), daemon=True).start()

    def receive(self, patience: Callable[[], float]) -> tuple[bytes, bytes]:
        while True:
            try:
                return self._messages.get(timeout=1.0)
            except queue.Empty:
                if patience() <= 0:
                    raise PatienceEnded from None

    def close(self) -> None:
        pass

    def kill(self) -> int:
        return 0

    def _tell(self, event: Any) -> bool:
        self._messages.put((EVENT, pickle.dumps(event)))
        return True

    def _run(self, task: Any) -> None:
        self._messages.put((STARTED, b""))
        self._messages.put((OUTCOME, cloudpickle.dumps(task())))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n_workers", type=int)
    arguments = parser.parse_args()
    _host.WorkerProcess = WorkerThread
    with (
        dask.config.set(QUIET),
        LocalCluster(
            n_workers=arguments.n_workers,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
    ):
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()  # until who has started it is done


if __name__ == "__main__":
    main()
