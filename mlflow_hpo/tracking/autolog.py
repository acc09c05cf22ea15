"""MLflow's autologging rests while a study runs: it would add runs of its own, and change the search's answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.utils import autologging_utils

_lock = threading.Lock()
_depth = 0


@contextmanager
def autologging_suspended() -> Iterator[None]:
    """Suspend autologging of every integration while the context is open; contexts may nest and overlap."""
    _enter(+1)
    try:
        yield
    finally:
        _enter(-1)


def _enter(step: int) -> None:
    global _depth
    with _lock:
        _depth += step
        # MLflow's own context manager for this is not reentrant.
        autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED = _depth > 0
