"""The model that an objective has fitted: a network alone, with no estimator around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from mlflow_hpo.core.events import FittedModel
from mlflow_hpo.core.portable import NetworkArchive, PortableNetwork
from mlflow_hpo.tracking.packing import template_of


class BareNetwork(BaseEstimator):
    """A Keras model in the form in which models are kept: its predictions are the network's raw outputs.

    Parameters
    ----------
    network : keras.Model or None
        The model; None stands for one that is still to be fitted.
    """

    def __init__(self, network: Any = None) -> None:
        self.network = network

    def __sklearn_is_fitted__(self) -> bool:
        return self.network is not None

    def fit(self, X: Any, y: Any) -> BareNetwork:
        """Train the network further.

        Parameters
        ----------
        X, y : array-like
            What `keras.Model.fit` takes.
        """
        self.network.fit(X, y, verbose=0)
        return self

    def predict(self, X: Any) -> Any:
        """Return the network's outputs.

        Parameters
        ----------
        X : array-like of the network's input shape
        """
        return self.network.predict(X, verbose=0)

    def to_portable(self) -> PortableNetwork:
        """Return the network, with nothing to encode around it."""
        return PortableNetwork(self.network, "regressor", None, None, batch_size=32, archive=_archive)


def fitted_network(network: Any) -> FittedModel:
    """Return a network that an objective has fitted, as the model of its trial.

    Parameters
    ----------
    network : keras.Model
    """
    estimator = BareNetwork(network)
    inputs, outputs = _sample(network.inputs), _sample(network.outputs)
    return FittedModel(None, estimator=estimator, template=template_of(estimator, inputs, outputs))


def _archive(network: Any) -> NetworkArchive | None:
    from mlflow_hpo.keras.archive import archive_network  # imports Keras, which an objective without it need not have

    return archive_network(network)


def _sample(tensors: Any) -> Any:
    """Return a row of zeros like what a network takes or gives; None where it has several, or open shapes."""
    if tensors is None or len(tensors) != 1 or None in tensors[0].shape[1:]:
        return None
    return np.zeros((1, *tensors[0].shape[1:]), tensors[0].dtype)
