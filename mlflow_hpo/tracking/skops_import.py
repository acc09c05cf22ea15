"""skops, imported when it is first needed: that costs two seconds, most of them to list all estimators of scikit-learn.

The list says which of them are trusted when a file is read. A process that only writes does without (`write_only`), and
trusts the estimators that it holds itself, by the same rule.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_is_write_only = False


def write_only() -> None:
    """Import skops without its list in this process, where nothing but `safe_form` uses skops."""
    global _is_write_only
    _is_write_only = True


def skops_io() -> Any:
    """Return `skops.io`."""
    with _lock:
        if _is_write_only and "skops.io" not in sys.modules:
            _import_without_list()
    import skops.io

    return skops.io


def known_estimators() -> list[str]:
    """Return the names of the public estimators of scikit-learn that have been imported, as skops writes them."""
    from sklearn.base import BaseEstimator

    return [f"{kind.__module__}.{kind.__name__}" for kind in _subclasses(BaseEstimator) if _is_public(kind)]


def _import_without_list() -> None:
    import sklearn.utils

    listing = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        import skops.io  # noqa: F401
    finally:
        sklearn.utils.all_estimators = listing


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _is_public(kind: type) -> bool:
    """Whether scikit-learn's `all_estimators` would list a class."""
    if not kind.__module__.startswith("sklearn.") or kind.__name__.startswith("_") or inspect.isabstract(kind):
        return False
    package = sys.modules.get(kind.__module__.partition("._")[0])
    return getattr(package, kind.__name__, None) is kind
