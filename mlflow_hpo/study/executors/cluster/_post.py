"""`Post`: sends orders to a cluster, and collects what comes of them for the one thread that decides."""

from __future__ import annotations

import logging
import queue
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mlflow_hpo.study.executors._sending import Parcel
from mlflow_hpo.study.executors.cluster._data import Data
from mlflow_hpo.study.executors.cluster._orders import TOPIC, Order, Reply, Said

if TYPE_CHECKING:
    from distributed import Client, Future

_logger = logging.getLogger(__name__)
_GOODBYE_SECONDS = 10.0


@dataclass(frozen=True)
class Told:
    """What a worker tells of an attempt while it runs."""

    attempt: int
    worker: str
    what: Said
    content: bytes


@dataclass(frozen=True)
class Done:
    """An attempt has ended; its reply is on its worker yet."""

    attempt: int
    answer: Future


@dataclass(frozen=True)
class Replied:
    """The reply is here."""

    attempt: int
    reply: Reply


@dataclass(frozen=True)
class NotReplied:
    """There is no reply, and why."""

    attempt: int
    error: BaseException


Arrival = Told | Done | Replied | NotReplied


class Post:
    """Orders of one study, and what comes of them.

    Parameters
    ----------
    client : Client
        Of the cluster.
    n_threads : int
        How many threads a fold has.
    is_explicit : bool
        Whether that counts whatever the worker's environment says.
    """

    def __init__(self, client: Client, n_threads: int, *, is_explicit: bool) -> None:
        self._client = client
        self._threads = (n_threads, is_explicit)
        self._study = secrets.token_hex(8)
        self._data = Data(client)
        self._inbox: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        client.subscribe_topic(TOPIC, self._on_event)
        self._lease = self._leased()

    @property
    def is_connected(self) -> bool:
        """Whether the scheduler is there."""
        return bool(self._client.status == "running")

    def _leased(self) -> Future:
        """Have the scheduler know the study: by this its workers see when it is gone, however it has ended.

        It is a task without a worker, too, where there is none: an adaptive cluster starts workers for tasks only.
        """
        from mlflow_hpo.study.executors.cluster._host import lease_of

        return self._client.submit(int, key=lease_of(self._study), pure=False)

    def send(self, attempt: int, parcel: Parcel) -> Future | None:
        """Order a fold.

        Parameters
        ----------
        attempt : int
            Its number among all attempts of the study.
        parcel : Parcel
            The fold.

        Returns
        -------
        Future or None
            Dask's; None where the data could not be scattered, because the workers have gone meanwhile.
        """
        from mlflow_hpo.study.executors.cluster._host import run_order

        files = tuple(map(self._data.carried, parcel.files))
        large = [shared for shared, file in zip(parcel.files, files, strict=True) if file.content is None]
        order = Order(self._study, attempt, parcel.pickled, files, *self._threads)
        try:
            scattered = [self._data.scattered(shared) for shared in large]
        except (OSError, TimeoutError):
            _logger.debug("The data could not be scattered", exc_info=True)
            return None
        answer = self._client.submit(run_order, order, *scattered, key=order.key, pure=False)
        answer.add_done_callback(partial(self._on_done, attempt))
        return answer

    def fetch(self, attempt: int, answer: Future) -> None:
        """Take the reply of an attempt off its worker."""
        self._client.loop.add_callback(self._fetch, attempt, answer)

    def cancel(self, answers: Iterable[Any]) -> None:
        """Have orders not run, or not on."""
        self._client.cancel(list(answers))

    def arrivals(self, seconds: float) -> Iterator[Arrival]:
        """Give all that has arrived; for the first of it, wait so long, or until `wake`."""
        with suppress(queue.Empty):
            arrival = self._inbox.get(timeout=seconds)
            while True:
                if arrival is not None:
                    yield arrival
                arrival = self._inbox.get_nowait()

    def wake(self) -> None:
        """Have who waits for arrivals go on."""
        self._inbox.put(None)

    def leave(self, answers: Iterable[Any]) -> None:
        """Cancel what is still ordered, and end what workers keep for the study."""
        from mlflow_hpo.study.executors.cluster._host import leave_study

        client = self._client
        self.cancel(answers)
        client.sync(client._run, leave_study, self._study, on_error="ignore", callback_timeout=_GOODBYE_SECONDS)

    # ---- in the thread of Dask's event loop

    def _on_event(self, stamped: Any) -> None:
        study, attempt, worker, what, content = stamped[1]
        if study == self._study:
            self._inbox.put(Told(attempt, worker, Said(what), content))

    def _on_done(self, attempt: int, answer: Future) -> None:
        self._inbox.put(Done(attempt, answer))

    async def _fetch(self, attempt: int, answer: Future) -> None:
        try:
            reply = await self._client.gather(answer, asynchronous=True)
        except BaseException as error:
            self._inbox.put(NotReplied(attempt, error))
        else:
            self._inbox.put(Replied(attempt, reply))
