"""Garbage collection while a study runs: what was there before is left alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """Keep all objects that there are now out of garbage collection while the context is open.

    TensorFlow, MLflow and scikit-learn are a million objects that stay. A full collection looks at each of them, for a
    third of a second, and tracing a graph makes enough new ones to set it off. Where somebody has frozen them already
    (`gc.freeze`), they stay as they are.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
