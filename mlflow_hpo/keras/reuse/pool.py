"""The process's compiled twins: lent to one fit at a time, the least recently used go when there are too many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mlflow_hpo.keras.reuse.errors import NotReusable
from mlflow_hpo.keras.reuse.twin import Twin

# A twin of a small network takes some 10 MB. Searches go through the folds of one candidate after the other.
_CAPACITY = 16


class TwinKey(NamedTuple):
    """What two fits must have in common to share a twin.

    Parameters
    ----------
    network : str
        Digest of the compiled network.
    data : str
        Spec of the training data: metrics are built to suit the targets.
    deterministic : bool
        Whether TensorFlow's ops were to be deterministic when its kernels were made.
    """

    network: str
    data: str
    deterministic: bool


class TwinPool:
    """Idle twins by key.

    Parameters
    ----------
    capacity : int
        How many idle twins are kept.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self.capacity = capacity
        self._n_lent = 0
        self._lock = threading.Lock()
        self._idle: list[tuple[TwinKey, Twin]] = []
        self._refused: set[TwinKey] = set()

    def __len__(self) -> int:
        return len(self._idle)

    @property
    def has_lent_one(self) -> bool:
        """Whether exactly one twin is at work."""
        return self._n_lent == 1

    @contextmanager
    def lease(self, key: TwinKey, make: Callable[[], Twin]) -> Iterator[Twin]:
        """Lend an idle twin, or a new one; nobody else has it meanwhile.

        A twin that was lent to a failed fit comes back too, since loading resets all its state.

        Raises
        ------
        NotReusable
            No twin of this kind can be made or compiled, as was found out now or before.
        """
        if key in self._refused:
            raise NotReusable("it could not be compiled before")
        try:
            twin = self._take(lambda idle: idle == key) or make()
            with self._lending():
                yield twin
        except NotReusable:
            self._refused.add(key)
            raise
        except BaseException:
            self._give_back(key, twin)
            raise
        self._give_back(key, twin)

    @contextmanager
    def lease_idle(self, network: str) -> Iterator[Twin | None]:
        """Lend an idle twin of a network, whatever it was trained on; None if there is none."""
        key: TwinKey | None = None

        def matches(idle: TwinKey) -> bool:
            nonlocal key
            key = idle
            return idle.network == network

        twin = self._take(matches)
        try:
            with self._lending():
                yield twin
        finally:
            if twin is not None and key is not None:
                self._give_back(key, twin)

    def clear(self) -> None:
        """Drop all idle twins."""
        with self._lock:
            self._idle.clear()

    @contextmanager
    def _lending(self) -> Iterator[None]:
        with self._lock:
            self._n_lent += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_lent -= 1

    def _take(self, matches: Callable[[TwinKey], bool]) -> Twin | None:
        with self._lock:
            for position in range(len(self._idle) - 1, -1, -1):
                if matches(self._idle[position][0]):
                    return self._idle.pop(position)[1]
        return None

    def _give_back(self, key: TwinKey, twin: Twin) -> None:
        with self._lock:
            self._idle.append((key, twin))
            del self._idle[: max(0, len(self._idle) - self.capacity)]


pool = TwinPool()
