"""Building one network of a study and giving it a few samples: what no trial could train is told before any begins."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.project.prepare._data import Samples
from mlflow_hpo.project.prepare._user_code import called, function_name
from mlflow_hpo.project.prepare._values import telling_values
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file.schema import StudySection

_FEW = 2
_PATH = ("model",)


def check_network(study: StudyFile, estimator: Any, samples: Samples) -> None:
    """Build a network with the first value of each parameter, and see that samples go in and classes come out.

    Parameters
    ----------
    study : StudyFile
        The study.
    estimator : estimator
        A Keras estimator; it stays as it is.
    samples : Samples
        The samples.

    Raises
    ------
    StudyFileError
        The model function fails, or its network does not fit the data.
    """
    import numpy as np
    from sklearn.base import clone

    _settle_threads(study.config)
    strategy = study.config.strategy
    first = {name: telling_values(parameter, strategy)[0] for name, parameter in study.space.searched.items()}
    with_values = ", ".join(f"{name}={value!r}" for name, value in first.items())
    name = function_name(estimator.model)
    tried = clone(estimator).set_params(**first, model=_returning_a_network(estimator.model))
    called(study, _PATH, f"{name}({with_values})", lambda: tried.initialize(samples.X, samples.y))
    _check_outputs(study, name, tried)
    few = tried.feature_encoder_.transform(np.asarray(samples.X[:_FEW]))
    called(study, _PATH, f"calling the network of {name} on samples", lambda: tried.model_(few, training=False))


def _settle_threads(config: StudySection) -> None:
    """Have TensorFlow use as many threads as in the trials that train here: with the first network that is settled."""
    from mlflow_hpo.study.places import settled_threads

    if config.isolation is None and config.backend in (None, "threading"):
        settled_threads(config.n_threads)


def _returning_a_network(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the model function, refusing other than networks itself: later nobody words it well."""

    @functools.wraps(function)
    def built(*arguments: Any, **named: Any) -> Any:
        network = function(*arguments, **named)
        if not hasattr(network, "compiled"):
            raise TypeError(f"it has to return a Keras model, and returned {shown(network)}")
        return network

    return built


def _check_outputs(study: StudyFile, function: str, tried: Any) -> None:
    network = tried.model_
    if not network.compiled and tried.loss is None:
        raise study.error(_PATH, f"{function} returns a network that is not compiled; call its compile(loss=...).")
    classes = len(tried.classes_) if getattr(tried, "target_type_", "") == "multiclass" else 0
    outputs = _width(network)
    if classes and outputs is not None and outputs < classes:
        raise study.error(
            _PATH, f"the network of {function} has {outputs} outputs, and the data have {classes} classes."
        )


def _width(network: Any) -> int | None:
    """Return how many values a network gives for a sample; None where it has several outputs, or is not built yet."""
    shape = getattr(network, "output_shape", None) if network.built else None
    return shape[-1] if isinstance(shape, tuple) and isinstance(shape[-1], int) else None
