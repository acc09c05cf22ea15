"""The model that an objective has fitted: a network alone, with no estimator around it."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from mlflow_hpo.core.portable import PortableNetwork


class BareNetwork(BaseEstimator):
    """A Keras model in the form in which models are kept: its predictions are the network's raw outputs.

    Parameters
    ----------
    network : keras.Model or None
        The model; None stands for one that is still to be fitted.
    """

    def __init__(self, network: Any = None) -> None:
        self.network = network

    def predict(self, X: Any) -> Any:
        """Return the network's outputs.

        Parameters
        ----------
        X : array-like of the network's input shape
        """
        return self.network.predict(X, verbose=0)

    def to_portable(self) -> PortableNetwork:
        """Return the network, with nothing to encode around it."""
        return PortableNetwork(self.network, "regressor", feature_encoder=None, target_encoder=None, batch_size=32)
