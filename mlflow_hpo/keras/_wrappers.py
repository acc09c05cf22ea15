"""`KerasClassifier` and `KerasRegressor`: scikeras's estimators, mended for current scikit-learn and Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
import scikeras.wrappers
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.class_weight import compute_sample_weight

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.keras._estimator import KerasEstimator
from mlflow_hpo.keras._targets import fit_to_loss, is_one_hot

if TYPE_CHECKING:
    from sklearn.utils import Tags


class KerasClassifier(KerasEstimator, scikeras.wrappers.KerasClassifier):
    """scikeras's `KerasClassifier`, with what current versions broke mended, and fast in a search.

    All of scikeras's parameters work as there (https://www.adriangb.com/scikeras). Beyond that:

    - Arguments of the model function are parameters, with their defaults: `create_model(dropout_rate=0.2)` makes
      `set_params(dropout_rate=0.5)` work, and a search over `dropout_rate`.
    - Integer or string labels are one-hot encoded where the model is compiled with `categorical_crossentropy`.
    - scikit-learn sees a classifier: folds are stratified, `roc_auc` works.
    - Fits of equal networks share one compiled graph; results are the same, bit for bit.

    Parameters
    ----------
    model : callable, keras.Model or None
        The model function; it returns a Keras model, compiled or not.
    build_fn : callable, keras.Model or None
        Another name for `model`.
    reuse : bool
        Whether fits may share compiled graphs.
    **params : object
        scikeras's parameters (`epochs`, `batch_size`, `optimizer`, `loss`, `random_state`, ...), routed ones
        (`optimizer__learning_rate`), or arguments of the model function.

    Raises
    ------
    InvalidArgumentError
        Nobody takes a parameter.

    Examples
    --------
    >>> def create_model(learning_rate=0.01, dropout_rate=0.2):
    ...     ...
    >>> KerasClassifier(create_model, epochs=5).set_params(dropout_rate=0.5).get_params()["dropout_rate"]
    0.5
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Self:
        """Build a new network and train it.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or one column of 0 and 1 per class.
        sample_weight : array-like of shape (n_samples,) or None
            Weights of the samples, multiplied with those of `class_weight`.
        **kwargs : object
            Passed on to `keras.Model.fit`.

        Returns
        -------
        KerasClassifier
            The estimator itself.
        """
        self.classes_ = None
        weight = self._sample_weight(y, sample_weight)
        scikeras.wrappers.BaseWrapper.fit(self, X=X, y=y, sample_weight=weight, **kwargs)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, **kwargs: Any) -> Self:
        """Train the network for one more epoch.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or one column of 0 and 1 per class.
        classes : array-like of shape (n_classes,) or None
            All classes there are, if the first call does not have them all in `y`.
        sample_weight : array-like of shape (n_samples,) or None
            Weights of the samples, multiplied with those of `class_weight`.
        **kwargs : object
            Passed on to `keras.Model.fit`.

        Returns
        -------
        KerasClassifier
            The estimator itself.
        """
        self.classes_ = classes if classes is not None else getattr(self, "classes_", None)
        weight = self._sample_weight(y, sample_weight)
        scikeras.wrappers.BaseWrapper.partial_fit(self, X, y, sample_weight=weight, **kwargs)
        return self

    def _sample_weight(self, y: Any, sample_weight: Any) -> Any:
        # scikeras multiplies into the caller's array, and weights one-hot columns as if they were separate targets.
        if self.class_weight is None:
            return sample_weight
        labels = np.argmax(np.asarray(y), axis=1) if is_one_hot(y) else y
        by_class = compute_sample_weight(class_weight=self.class_weight, y=labels)
        return by_class if sample_weight is None else np.asarray(sample_weight) * by_class

    def _initialize(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        X, y = super()._initialize(X, y)
        loss = self.model_.loss if self.model_.compiled else self.loss
        self.target_encoder_ = fit_to_loss(self.target_encoder_, y, loss, _width(self.model_))
        return X, y

    def to_portable(self) -> PortableNetwork:
        """Return the parts from which `predict` and `predict_proba` can be rebuilt without this package.

        Returns
        -------
        PortableNetwork
            The trained network and fitted encoders; the encoders refer to neither estimator nor loss.
        """
        return self._portable("classifier")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags(poor_score=True, multi_label=True)
        tags.regressor_tags = None
        return tags


class KerasRegressor(KerasEstimator, scikeras.wrappers.KerasRegressor):
    """scikeras's `KerasRegressor`, with what current versions broke mended, and fast in a search.

    All of scikeras's parameters work as there (https://www.adriangb.com/scikeras). Beyond that, arguments of the model
    function are parameters with their defaults, and fits of equal networks share one compiled graph, with the same
    results, bit for bit.

    Parameters
    ----------
    model : callable, keras.Model or None
        The model function; it returns a Keras model, compiled or not.
    build_fn : callable, keras.Model or None
        Another name for `model`.
    reuse : bool
        Whether fits may share compiled graphs.
    **params : object
        scikeras's parameters (`epochs`, `batch_size`, `optimizer`, `loss`, `random_state`, ...), routed ones
        (`optimizer__learning_rate`), or arguments of the model function.

    Raises
    ------
    InvalidArgumentError
        Nobody takes a parameter.

    Examples
    --------
    >>> def create_model(units=16):
    ...     ...
    >>> KerasRegressor(create_model, epochs=5).get_params()["units"]
    16
    """

    def to_portable(self) -> PortableNetwork:
        """Return the parts from which `predict` can be rebuilt without this package.

        Returns
        -------
        PortableNetwork
            The trained network and fitted encoders.
        """
        return self._portable("regressor")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags(poor_score=True)
        tags.classifier_tags = None
        return tags


def _width(model: keras.Model) -> int | None:
    """Return the number of columns of a model's only output, None where it is not known."""
    shape = getattr(model, "output_shape", None)
    return shape[-1] if isinstance(shape, tuple) and shape and isinstance(shape[-1], int) else None
