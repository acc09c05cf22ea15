"""How events come from worker processes to the study while folds run: a socket on this machine.

Folds in this process hand their events over by a call; those in others connect to a listener on the loopback device,
which takes nobody who does not know the channel's key. Where no connection comes about (a worker on another machine, a
study that has ended), the events travel with the fold's outcome instead: late, not lost.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

_logger = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"

_connections: dict[RemoteChannel, Connection | None] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class RemoteChannel:
    """The end of the channel that a worker process holds; calling it sends an event.

    Parameters
    ----------
    port : int
        Where the study listens.
    key : bytes
        What the study asks for.
    """

    port: int
    key: bytes

    def __call__(self, event: Any) -> bool:
        """Send an event; False where that fails, now and from then on."""
        with _lock:
            try:
                connection = self._connect()
                if connection is not None:
                    connection.send(event)
                return connection is not None
            except (OSError, EOFError):
                _connections[self] = None
                return False

    def _connect(self) -> Connection | None:
        if self not in _connections:
            _forget_other_studies()
            _connections[self] = Client((_LOOPBACK, self.port), authkey=self.key)
        return _connections[self]


def _forget_other_studies() -> None:
    """Close the connections to studies before this one: joblib's workers live on from one to the next."""
    for connection in _connections.values():
        if connection is not None:
            connection.close()
    _connections.clear()


class EventChannel:
    """The end of the channel that the study holds.

    Parameters
    ----------
    handle : callable
        Takes each event that comes in, from any thread.
    """

    def __init__(self, handle: Callable[[Any], object]) -> None:
        self._handle = handle
        self._key = secrets.token_bytes(32)
        self._listener = Listener((_LOOPBACK, 0), authkey=self._key)
        self._is_open = True
        threading.Thread(target=self._accept, name="mlflow-hpo-channel", daemon=True).start()

    @property
    def remote(self) -> RemoteChannel:
        """The end for worker processes; it pickles."""
        return RemoteChannel(self._listener.address[1], self._key)

    def close(self) -> None:
        """Take no more connections."""
        self._is_open = False
        # Closing a listener does not wake up who waits on it; a last connection does.
        try:
            Client((_LOOPBACK, self._listener.address[1]), authkey=self._key).close()
        except OSError:
            _logger.debug("The event channel was closed already", exc_info=True)
        self._listener.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                connection = self._listener.accept()
            except Exception:
                # A stranger without the key, or a worker that died while connecting: the others go on.
                _logger.debug("A connection to the event channel was refused", exc_info=True)
                continue
            threading.Thread(target=self._receive, args=(connection,), name="mlflow-hpo-events", daemon=True).start()

    def _receive(self, connection: Connection) -> None:
        with connection:
            while True:
                try:
                    event = connection.recv()
                except (OSError, EOFError):
                    return
                self._handle(event)
