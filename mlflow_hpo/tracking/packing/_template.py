"""What all models of one study have in common, found out once, before the first is fitted."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mlflow_hpo.core.portable import SupportsPortable
from mlflow_hpo.tracking.models import ModelTemplate, loader
from mlflow_hpo.tracking.packing._signature import signature_of
from mlflow_hpo.tracking.versions import installed_version

_ALWAYS = ("mlflow", "scikit-learn", "skops", "numpy", "scipy", "pandas", "cloudpickle")
_KERAS = ("keras", "scikeras")
_TENSORFLOW = ("tensorflow-cpu", "tensorflow", "tensorflow-intel", "tensorflow-macos")
_KNOWN_PACKAGES = {*sys.stdlib_module_names, *_KERAS, "numpy", "scipy", "sklearn", "pandas", "mlflow_hpo"}


def template_of(estimator: Any, X: Any, y: Any = None) -> ModelTemplate:
    """Infer the template from an unfitted estimator and its training data; predicts nothing.

    Parameters
    ----------
    estimator : estimator
        Need not be fitted.
    X : array-like, DataFrame or sparse matrix
        Training data, rows first.
    y : array-like or None
        Targets.
    """
    inputs = loader.InputSpec.of(X)
    signature = signature_of(estimator, inputs, y)
    needs_skops = not isinstance(estimator, SupportsPortable)
    return ModelTemplate(inputs.to_dict(), signature.to_dict(), requirements_of(estimator), needs_skops)


def with_keras(template: ModelTemplate) -> ModelTemplate:
    """Return a template whose requirements include Keras: the search may have put a network where none was."""
    missing = tuple(pin for pin in _keras_pins() if pin not in template.requirements)
    return replace(template, requirements=template.requirements + missing) if missing else template


def requirements_of(estimator: Any) -> tuple[str, ...]:
    """Return pinned pip requirements for an estimator and all estimators inside it."""
    parts = list(_parts(estimator))
    packages = {base.__module__.partition(".")[0] for part in parts for base in type(part).__mro__}
    has_keras = any(isinstance(part, SupportsPortable) for part in parts) or not packages.isdisjoint(_KERAS)
    keras = _keras_pins() if has_keras else ()
    others = _pins(sorted(_distributions_of(packages - _KNOWN_PACKAGES) - {*_ALWAYS, *_KERAS, *_TENSORFLOW}))
    return (*_pins(_ALWAYS), *keras, *others)


def _parts(estimator: Any) -> Iterator[Any]:
    yield estimator
    if hasattr(estimator, "get_params") and not isinstance(estimator, type):
        yield from estimator.get_params(deep=True).values()


def _distributions_of(packages: set[str]) -> set[str]:
    # Reading every installed package's metadata takes a tenth of a second: only for strangers.
    return {name for root in packages for name in _all_distributions().get(root, ())} if packages else set()


@functools.cache
def _all_distributions() -> dict[str, list[str]]:
    return {root: list(names) for root, names in importlib.metadata.packages_distributions().items()}


@functools.cache
def _keras_pins() -> tuple[str, ...]:
    return (*_pins(_KERAS), *_pins(_TENSORFLOW)[:1])


def _pins(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    found = {name: installed_version(name) for name in names}
    # A local build's suffix is not on PyPI.
    return tuple(f"{name}=={version.partition('+')[0]}" for name, version in found.items() if version is not None)
