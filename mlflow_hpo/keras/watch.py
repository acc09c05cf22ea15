"""`watch_fits`: fits that a user calls on a plain `keras.Model` report their epochs too. Loads no TensorFlow itself."""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from mlflow_hpo.core.reporting import Reporter, current_reporter

_watched: ContextVar[bool] = ContextVar("mlflow_hpo_fits_watched", default=False)
_lock = threading.RLock()


@contextmanager
def watch_fits() -> Iterator[None]:
    """While open, each `keras.Model.fit` in this context reports its epochs to the current reporter.

    Fits inside another reported fit, and those of our own estimators, are reported once. Keras may be imported before
    or while the context is open; it is not imported by it. What was changed is put back on exit.

    Examples
    --------
    >>> with watch_fits():
    ...     pass  # model.fit(x, y, epochs=5) reports five epochs here, if a study listens
    """
    token = _watched.set(True)
    _watch.open()
    try:
        yield
    finally:
        _watch.close()
        _watched.reset(token)


@contextmanager
def reported_otherwise() -> Iterator[None]:
    """Keep `watch_fits` from reporting fits in this context: whoever opens it reports them."""
    token = _watched.set(False)
    try:
        yield
    finally:
        _watched.reset(token)


class _Watch:
    """The one wrapper around Keras's `fit`, there as long as anybody watches."""

    def __init__(self) -> None:
        self._openings = 0
        self._owner: Any = None
        self._original: Callable[..., Any] | None = None
        self._wrapper: Callable[..., Any] | None = None
        self._hook: _KerasImportHook | None = None

    def open(self) -> None:
        # Another thread may be in the middle of importing keras: waiting for it here must not hold our lock, which its
        # import hook needs.
        if "keras" in sys.modules:
            importlib.import_module("keras")
        with _lock:
            self._openings += 1
            if self._openings > 1:
                return
            if "keras" in sys.modules:
                self.wrap(sys.modules["keras"])
            else:
                self._hook = _KerasImportHook(self.wrap)
                sys.meta_path.insert(0, self._hook)

    def close(self) -> None:
        with _lock:
            self._openings -= 1
            if self._openings:
                return
            if self._hook in sys.meta_path:
                sys.meta_path.remove(self._hook)
            self._hook = None
            # A wrapper that somebody else put around ours in the meantime is theirs to remove; ours does nothing then.
            if self._owner is not None and self._owner.__dict__.get("fit") is self._wrapper:
                self._owner.fit = self._original
            self._owner = self._original = self._wrapper = None

    def wrap(self, keras: ModuleType) -> None:
        with _lock:
            if not self._openings or self._owner is not None:
                return
            # The class that implements `fit` for all models: below what other libraries wrap `keras.Model.fit` with.
            self._owner = next(base for base in keras.Model.__mro__[1:] if "fit" in base.__dict__)
            self._original = self._owner.__dict__["fit"]
            self._wrapper = _reporting_fit(self._original)
            self._owner.fit = self._wrapper


_watch = _Watch()


def _reporting_fit(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        reporter = current_reporter()
        if reporter is None or not _watched.get():
            return original(model, *args, **kwargs)
        with reported_otherwise():
            call = signature.bind(model, *args, **kwargs)
            call.arguments["callbacks"] = _with_report(call.arguments.get("callbacks"), reporter, model)
            return original(*call.args, **call.kwargs)

    return fit


def _with_report(callbacks: Any, reporter: Reporter, model: Any) -> Any:
    from keras.callbacks import Callback, CallbackList

    from mlflow_hpo.keras.callbacks import ReportEpochs

    report = ReportEpochs(reporter)
    if isinstance(callbacks, CallbackList):
        report.set_model(model)
        return CallbackList([*callbacks.callbacks, report], model=model, **callbacks.params or {})
    if isinstance(callbacks, Callback):
        return [callbacks, report]
    return [*(callbacks or []), report]


class _KerasImportHook(importlib.abc.MetaPathFinder):
    """Calls back once `keras` has been imported by whoever wanted it."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "keras":
            return None
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _TellingLoader(spec.loader, self._imported)
                return spec
        return None


class _TellingLoader(importlib.abc.Loader):
    """A loader that executes the module as its own loader does, puts that loader back, and tells."""

    def __init__(self, loader: importlib.abc.Loader, imported: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._imported = imported

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._imported(module)
