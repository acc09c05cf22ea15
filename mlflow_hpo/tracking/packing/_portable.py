"""A fitted estimator without its live parts: each Keras estimator in it becomes a `NetworkPredictor`.

The estimator may be any object graph, so the replacement is done where Python itself walks it: while pickling.
"""

from __future__ import annotations

import io
import operator
import pickle
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.validation import check_is_fitted

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.tracking.models import LOADER_MODULE, loader

# What other estimators read off a fitted member.
_FITTED_ATTRIBUTES = ("classes_", "n_classes_", "n_outputs_", "n_features_in_", "feature_names_in_")
_SEARCH_PACKAGES = ("sklearn", "skopt", "mlflow_hpo")
_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
# cloudpickle keeps one list of modules per process.
_by_value_lock = threading.Lock()


class PortablePickler(cloudpickle.Pickler):
    """Pickles an estimator with its Keras estimators replaced, and notes what it met.

    Parameters
    ----------
    file : file object
        Takes the pickle.
    networks : list of PortableNetwork
        Takes the networks met, in the order of their indices.

    Attributes
    ----------
    modules : set of str
        Modules of the classes and functions met.
    """

    def __init__(self, file: io.BytesIO, networks: list[PortableNetwork]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.modules: set[str] = set()
        self._networks = networks

    def reducer_override(self, obj: Any) -> Any:
        """Return how to pickle `obj`: pickle's hook for each object it meets."""
        if isinstance(obj, type | FunctionType):
            self.modules.add(obj.__module__ or "__main__")
        elif isinstance(obj, ModuleType):
            self.modules.add(obj.__name__)
        elif _is_portable(type(obj)):
            return _instead_of(self._predictor_for(obj))
        elif _is_search(obj):
            return _instead_of(_found_by(obj))
        return super().reducer_override(obj)

    def _predictor_for(self, estimator: Any) -> loader.NetworkPredictor:
        portable = _parts_of(estimator)
        if portable is None:
            return loader.NetworkPredictor(None, estimator.__sklearn_tags__().estimator_type or "regressor")
        return _predictor_of(estimator, portable, self._index_of(portable))

    def _index_of(self, portable: PortableNetwork) -> int:
        for index, known in enumerate(self._networks):
            if known.network is portable.network:
                return index
        self._networks.append(portable)
        return len(self._networks) - 1


def plain_network(estimator: Any) -> tuple[PortableNetwork, dict[str, Any]] | None:
    """Return the network of a fitted Keras estimator, and all else about it as plain data; None where it has no such.

    Parameters
    ----------
    estimator : estimator
        Not changed.
    """
    portable = _parts_of(estimator) if _is_portable(type(estimator)) else None
    if portable is None:
        return None
    plain = loader.plain_predictor(_predictor_of(estimator, portable, 0))
    return None if plain is None else (portable, plain)


def _predictor_of(estimator: Any, portable: PortableNetwork, index: int) -> loader.NetworkPredictor:
    predictor = loader.NetworkPredictor(
        index, portable.kind, portable.feature_encoder, _target_decoder(portable), portable.batch_size
    )
    for name in _FITTED_ATTRIBUTES:
        if (value := getattr(estimator, name, None)) is not None:
            setattr(predictor, name, value)
    return predictor


def _target_decoder(portable: PortableNetwork) -> Any:
    labels = portable.labels
    if labels is None:
        return portable.target_encoder
    return loader.LabelDecoder(labels.kind, labels.classes, labels.row_shape)


def _parts_of(estimator: Any) -> PortableNetwork | None:
    """Return an estimator's parts, or None for one that was never fitted, as stacks and pipelines keep them."""
    try:
        portable: PortableNetwork = estimator.to_portable()
    except Exception:
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            return None
        raise
    return portable


def _is_portable(cls: type) -> bool:
    """Return whether `to_portable` speaks for a class's predictions: a subclass may predict in its own way."""
    return hasattr(cls, "to_portable") and not any(
        _depth(cls, method) < _depth(cls, "to_portable") for method in ("predict", "predict_proba", "_predict_raw")
    )


def _depth(cls: type, name: str) -> int:
    return next((depth for depth, base in enumerate(cls.__mro__) if name in vars(base)), len(cls.__mro__))


def _instead_of(replacement: Any) -> tuple[Any, ...]:
    """Return how to pickle another object in the place of one: a function of Python's own loads everywhere."""
    return operator.getitem, ((replacement,), 0)


def _is_search(obj: Any) -> bool:
    return isinstance(obj, BaseSearchCV) and type(obj).__module__.partition(".")[0] in _SEARCH_PACKAGES


def _found_by(search: BaseSearchCV) -> Any:
    """Return what a search predicts with; its distributions, splits and results are no part of the model."""
    return getattr(search, "best_estimator_", search.estimator)


@dataclass(frozen=True)
class Pickled:
    """A pickle that loads without the user's modules.

    Parameters
    ----------
    blob : bytes
        The pickle.
    modules : frozenset of str
        Those of the classes and functions in it.
    travelling : tuple of str
        Those of the user among them, whose code it holds.
    """

    blob: bytes
    modules: frozenset[str]
    travelling: tuple[str, ...]


def pickle_by_value(estimator: Any, networks: list[PortableNetwork]) -> Pickled:
    """Pickle an estimator so that it loads where neither the user's modules nor mlflow_hpo can be imported.

    Parameters
    ----------
    estimator : estimator
        Fitted; not changed. Its Keras estimators are replaced.
    networks : list of PortableNetwork
        Takes the networks met.
    """
    travelling: set[str] = set()
    while True:
        file = io.BytesIO()
        pickler = PortablePickler(file, networks)
        with _pickled_by_value(travelling):
            pickler.dump(estimator)
        # The code of a module by value can refer to further modules of the user.
        found = {name for name in pickler.modules if _has_to_travel(name)} - travelling
        if not found:
            return Pickled(file.getvalue(), frozenset(pickler.modules), tuple(sorted(travelling)))
        travelling |= found


@contextmanager
def _pickled_by_value(names: set[str]) -> Iterator[None]:
    with _by_value_lock:
        known = cloudpickle.list_registry_pickle_by_value()
        modules = [sys.modules[name] for name in sorted(names - known)]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)


def _has_to_travel(module_name: str) -> bool:
    root = module_name.partition(".")[0]
    if root == LOADER_MODULE or root in ("__main__", *sys.builtin_module_names) or module_name not in sys.modules:
        return False
    if root == "mlflow_hpo":
        return True
    file = getattr(sys.modules[module_name], "__file__", None)
    if file is None:  # built in, a namespace, or made on the fly: cloudpickle knows which
        return False
    return not any(Path(file).resolve().is_relative_to(folder) for folder in _INSTALLED)
