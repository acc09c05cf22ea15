"""Log records and warnings of a fold name its trial: several may run at once, and all of them say the same.

While a fold runs, and in its process, records are made and warnings worded through a hook; handlers, formatters and
filters stay the user's. A thread that a fold starts of its own is not known to belong to it.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlflow_hpo.core.reporting import current_reporter

# What `logging.captureWarnings` logs has been worded by us already.
_WARNINGS_LOGGER = "py.warnings"

_lock = threading.Lock()
_n_open = 0
_hooks: _Hooks | None = None


@contextmanager
def named_logs() -> Iterator[None]:
    """Name the trial in all that folds log and warn of, while the context is open; contexts may overlap."""
    _change(1)
    try:
        yield
    finally:
        _change(-1)


def _change(by: int) -> None:
    global _n_open, _hooks
    with _lock:
        _n_open += by
        if _n_open and _hooks is None:
            _hooks = _Hooks()
        elif not _n_open and _hooks is not None:
            _hooks.remove()
            _hooks = None


def _place() -> str:
    """Return the words for the fold that runs in this context; empty outside of folds."""
    reporter = current_reporter()
    if reporter is None:
        return ""
    trial = "refit" if reporter.trial is None else f"trial {reporter.trial:03d}"
    return f"[{trial}] " if reporter.fold is None else f"[{trial}, fold {reporter.fold}] "


class _Hooks:
    """What stands in for Python's own; each calls what was there before."""

    def __init__(self) -> None:
        self._place = _place
        self._make_record = logging.getLogRecordFactory()
        self._word_warning: Callable[..., str] = warnings.formatwarning
        logging.setLogRecordFactory(self.make_record)
        warnings.formatwarning = self.word_warning

    def remove(self) -> None:
        self._place = str  # where somebody else has put theirs around ours, ours stays and adds nothing
        if logging.getLogRecordFactory() == self.make_record:
            logging.setLogRecordFactory(self._make_record)
        if warnings.formatwarning == self.word_warning:
            warnings.formatwarning = self._word_warning

    def make_record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make_record(*args, **kwargs)
        place = self._place()
        if place and record.name != _WARNINGS_LOGGER:
            record.msg = f"{place}{record.msg}"
        return record

    def word_warning(self, message: Any, *args: Any, **kwargs: Any) -> str:
        place = self._place()
        return self._word_warning(f"{place}{message}" if place else message, *args, **kwargs)
