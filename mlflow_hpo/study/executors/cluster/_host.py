"""What runs in a Dask worker: keeps worker processes for a study's folds, and relays between them and the study."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from distributed import Status, get_worker
from distributed.utils import sync

from mlflow_hpo.study.executors._process import WorkerProcess
from mlflow_hpo.study.executors._seat import PatienceEnded, Seat, WorkerLost
from mlflow_hpo.study.executors._sending import Parcel, SharedFile
from mlflow_hpo.study.executors.cluster._orders import TOPIC, CarriedFile, End, Order, Reply, Said
from mlflow_hpo.study.executors.errors import FoldFailedError

# An outcome of this size goes as an event: it has left its worker before that begins the next fold, and may die of it.
_PUSHED_BYTES = 64_000
# A study whose process was killed leaves its worker processes behind; so much later they are gone.
_LOOK_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_GONE = (Status.closing, Status.closed, Status.failed)


def run_order(order: Order, *scattered: Any) -> Reply:
    """Run a fold in a worker process beside this Dask worker.

    Parameters
    ----------
    order : Order
    *scattered : array of uint8
        The contents of the files that it does not carry, in their order.
    """
    worker = get_worker()
    host = _host_of(order.study, worker)
    contents = iter(scattered)
    files = tuple(host.file(file, next(contents) if file.content is None else file.content) for file in order.files)
    try:
        with host.seat(partial(WorkerProcess, order.n_threads, is_explicit=order.is_explicit)) as seat:
            relay = _Relay(worker, order)
            outcome = seat.run(Parcel(order.pickled, files), relay)
        relay.ended(outcome if len(outcome) <= _PUSHED_BYTES else b"")
        return Reply(End.OUTCOME, outcome if len(outcome) > _PUSHED_BYTES else b"")
    except WorkerLost as death:
        return Reply(End.DIED, said=str(death), exit_code=death.exit_code)
    except FoldFailedError as error:
        return Reply(End.FAILED, said=str(error))
    except PatienceEnded:
        return Reply(End.STOPPED)


def lease_of(study: str) -> str:
    """Return the key of a task that the scheduler knows for as long as the study has a client there."""
    return f"mlflow-hpo-lease-{study}"


async def leave_study(study: str) -> None:
    """End the worker processes of a study that is over, beside the worker's event loop."""
    await asyncio.to_thread(_close, {name for name in list(_hosts) if name[0] == study})


class _Relay:
    """An attempt as the study hears of it: through Dask's own events, in their order, ahead of the reply."""

    def __init__(self, worker: Any, order: Order) -> None:
        self._worker = worker
        self._order = order

    def started(self) -> None:
        self._tell(Said.STARTED)

    def heard(self, event: bytes) -> None:
        self._tell(Said.EVENT, event)

    def ended(self, outcome: bytes) -> None:
        self._tell(Said.ENDED, outcome)

    def patience(self) -> float:
        task = self._worker.state.tasks.get(self._order.key)
        is_wanted = task is not None and task.state != "cancelled" and self._worker.status not in _GONE
        return float("inf") if is_wanted else -1.0

    def _tell(self, what: Said, content: bytes = b"") -> None:
        order = self._order
        self._worker.log_event(TOPIC, (order.study, order.attempt, self._worker.address, what.value, content))


@dataclass
class _Host:
    """The worker processes of one study beside one Dask worker, and the data that they share."""

    study: str
    worker: Any
    seats: list[Seat] = field(default_factory=list)
    files: dict[int, SharedFile] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    n_busy: int = 0
    is_closed: bool = False

    def file(self, carried: CarriedFile, content: Any) -> SharedFile:
        """Return a file that worker processes map; it is written once."""
        with self.lock:
            if carried.number not in self.files:
                file = tempfile.TemporaryFile()  # noqa: SIM115  (it stays open as long as the host)
                file.write(content)
                file.flush()
                self.files[carried.number] = SharedFile(carried.number, file, carried.spans)
            return self.files[carried.number]

    @contextmanager
    def seat(self, start_worker: Callable[[], WorkerProcess]) -> Iterator[Seat]:
        """Lend a seat that is free, the last used first."""
        with self.lock:
            seat = self.seats.pop() if self.seats else Seat(start_worker)
            self.n_busy += 1
        try:
            yield seat
        finally:
            with self.lock:
                self.n_busy -= 1
                is_closed = self.is_closed
                if not is_closed:
                    self.seats.append(seat)
            if is_closed:
                seat.close()

    @property
    def is_left(self) -> bool:
        """Whether nobody is going to come any more: the study's process has ended without a word."""
        if self.n_busy:
            return False
        key = lease_of(self.study)
        ask = self.worker.scheduler.get_task_status
        try:
            return sync(self.worker.loop, ask, keys=[key], callback_timeout=_ANSWER_SECONDS)[key] is None
        except Exception:  # without a scheduler the Dask worker ends, and with it all that it has started
            return False

    def close(self) -> None:
        """End the processes; those that are busy end as Dask cancels their folds."""
        with self.lock:
            self.is_closed = True
            seats, self.seats = self.seats, []
            files, self.files = self.files, {}
        for seat in seats:
            seat.close()
        for shared in files.values():
            shared.file.close()


# By study and Dask worker: workers may be threads of one process.
_hosts: dict[tuple[str, str], _Host] = {}
_lock = threading.Lock()
_watching = threading.Event()


def _host_of(study: str, worker: Any) -> _Host:
    with _lock:
        if not _watching.is_set():
            _watching.set()
            threading.Thread(target=_watch, name="mlflow-hpo-hosts", daemon=True).start()
        return _hosts.setdefault((study, worker.address), _Host(study, worker))


def _watch() -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        with _lock:
            hosts = dict(_hosts)
        _close({name for name, host in hosts.items() if host.is_left})


def _close(names: set[tuple[str, str]]) -> None:
    with _lock:
        hosts = [_hosts.pop(name) for name in names & _hosts.keys()]
    for host in hosts:
        host.close()
