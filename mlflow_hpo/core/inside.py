"""What tells code that runs inside of a trial so: tags for the runs that it begins, in its process and in others.

MLflow asks for them in each of its processes (`mlflow_hpo/plugin.py`): this module imports nothing that costs time.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_ENVIRONMENT = "MLFLOW_HPO_INSIDE"
_current: ContextVar[Mapping[str, str] | None] = ContextVar("mlflow_hpo_inside", default=None)


def tags_inside() -> dict[str, str]:
    """Return the tags of a run that begins here: those of the trial around it; empty outside of a study."""
    tags = _current.get()
    return json.loads(os.environ.get(_ENVIRONMENT, "{}")) if tags is None else dict(tags)


@contextmanager
def inside(tags: Mapping[str, str]) -> Iterator[None]:
    """Make `tags` those that `tags_inside` returns while the context is open, also in processes started meanwhile.

    The environment of processes is the main thread's: folds in other threads share it, and leave it alone.
    """
    token = _current.set(tags)
    before = os.environ.get(_ENVIRONMENT)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        os.environ[_ENVIRONMENT] = json.dumps(dict(tags))
    try:
        yield
    finally:
        _current.reset(token)
        if is_main:
            os.environ.pop(_ENVIRONMENT, None)
            os.environ.update({} if before is None else {_ENVIRONMENT: before})
