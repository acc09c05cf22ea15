"""Which workers a cluster has: the scheduler is asked now and then.

The topic where Dask announces all changes carries what breaks a client's connection (`replicate`, in 2026.8).
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Workers:
    """The workers of a cluster, as they were a moment ago.

    Parameters
    ----------
    client : Client
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._threads: dict[str, int] = {}
        self._looked = -math.inf
        self._is_waiting = False

    @property
    def n_threads(self) -> int:
        """How many folds they run at a time."""
        return sum(self._threads.values())

    def __contains__(self, address: str) -> bool:
        return address in self._threads

    def look(self) -> bool:
        """Ask which there are, unless that was a moment ago; return whether they were asked for."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        self._threads = self._client.nthreads()
        if not self._threads and not self._is_waiting:
            address = self._client.scheduler.address
            _logger.warning("The Dask cluster at %s has no workers; the study waits for some.", address)
        elif self._threads and self._is_waiting:
            _logger.warning("The Dask cluster has workers; the study goes on.")
        self._is_waiting = not self._threads
        return True

    def note_gone(self) -> None:
        """Take none to be there until the next look."""
        self._threads = {}

    def has_left(self, address: str) -> bool:
        """Return whether a worker that is gone has left on purpose."""
        told = [said for _, said in self._client.get_events(address) if said.get("action") == "remove-worker"]
        return bool(told and told[-1]["expected"])
