"""The one clock of the project: wall time as MLflow counts it."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the wall time in whole milliseconds since 1970, as MLflow's timestamps are."""
    return time.time_ns() // 1_000_000
