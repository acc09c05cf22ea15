"""`KerasEstimator`: what both estimators add to scikeras's: parameters, seeds, epochs told, graphs shared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import keras
import scikeras.wrappers

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.core.reporting import current_reporter
from mlflow_hpo.keras._parameters import adopt, check_names, passed
from mlflow_hpo.keras._seeding import seeded, undisturbed
from mlflow_hpo.keras._targets import label_coding, portable_feature_encoder, portable_target_encoder
from mlflow_hpo.keras.archive import archive_network
from mlflow_hpo.keras.callbacks import ReportEpochs
from mlflow_hpo.keras.reuse import ReusingModel
from mlflow_hpo.keras.watch import reported_otherwise

if TYPE_CHECKING:
    from sklearn.utils import Tags

# `batch_size=-1` means all rows in one step; so does this, for Keras itself.
_ALL_ROWS = 2**31 - 1


class KerasEstimator(scikeras.wrappers.BaseWrapper):
    """What both estimators add to scikeras."""

    _fit_callbacks: list[Any]
    _predict_callbacks: list[Any]
    target_encoder_: Any

    # `callbacks__patience=5` and `score__...` were honoured in the constructor only.
    _routing_prefixes = scikeras.wrappers.BaseWrapper._routing_prefixes | {"callbacks", "score"}

    def __init__(self, model: Any = None, *, build_fn: Any = None, reuse: bool = True, **params: Any) -> None:
        function = model if model is not None else build_fn
        own = self._own_parameters()
        given = {"model": model, "build_fn": build_fn, **params}
        if function is not None:
            check_names(params, function, self._taken_by_keras() | own.keys(), self._routing_prefixes, self.__name__)
        super().__init__(model=model, build_fn=build_fn, **{**adopt(function, given, own), **params})
        self.reuse = reuse

    @classmethod
    def _own_parameters(cls) -> dict[str, Any]:
        """Return scikeras's own parameters with their defaults."""
        wrapper = next(base for base in cls.__mro__ if base.__module__ == scikeras.wrappers.__name__)
        parameters = inspect.signature(wrapper).parameters.values()
        return {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}

    def _taken_by_keras(self) -> set[str]:
        return set(self._fit_kwargs | self._predict_kwargs | self._compile_kwargs)

    def _model_function(self) -> Any:
        return self.model if self.model is not None else self.build_fn

    def set_params(self, **params: Any) -> Self:
        """Set parameters: the estimator's own, routed ones such as `optimizer__learning_rate`, or the model function's.

        Parameters
        ----------
        **params : object
            Parameters by name.

        Returns
        -------
        estimator
            The estimator itself.

        Raises
        ------
        InvalidArgumentError
            Nobody takes a parameter; nothing is set then.
        """
        functions: dict[str, Any] = {name: params[name] for name in ("model", "build_fn") if name in params}
        if functions:
            self._change_function(functions)
        allowed = {*self.get_params(deep=False), *self._taken_by_keras()}
        nested = [name for name in params if name.split("__")[0] in self._nested_estimators()]
        flat = {name: value for name, value in params.items() if name not in nested}
        check_names(flat, self._model_function(), allowed, self._routing_prefixes, self.__name__)
        if nested:
            super().set_params(**{name: params[name] for name in nested})
        undeclared = set(flat) - allowed
        if undeclared:
            self._user_params = {*getattr(self, "_user_params", ()), *undeclared}
        for name, value in flat.items():
            setattr(self, name, value)
        return self

    def _nested_estimators(self) -> set[str]:
        return {
            name
            for name, value in self.get_params(deep=False).items()
            if hasattr(value, "get_params") and not isinstance(value, type)
        }

    def _change_function(self, functions: dict[str, Any]) -> None:
        """Take another model function: the old one's untouched defaults go, the new one's come."""
        own = self._own_parameters()
        for name, default in adopt(self._model_function(), {}, own).items():
            if vars(self).get(name) is default:
                if name in own:
                    setattr(self, name, own[name])
                else:
                    delattr(self, name)
        values = self.__dict__
        values.update(functions)
        untouched = {name for name, default in own.items() if values.get(name) is default}
        given = {name: value for name, value in values.items() if name not in untouched}
        values.update(adopt(self._model_function(), given, own))

    def _stand_in(self, **attributes: Any) -> Any:
        """Return an estimator with this one's attributes, but for those given: for scikeras's methods to work on."""
        stand_in = object.__new__(type(self))
        stand_in.__dict__.update(self.__dict__, **attributes)
        return stand_in

    def _check_model_param(self) -> Callable[..., keras.Model]:
        # scikeras warns that `build_fn` will go; here it stays.
        stand_in = self._stand_in(model=self._model_function())
        return super(KerasEstimator, stand_in)._check_model_param()  # type: ignore[no-any-return]

    def _build_keras_model(self) -> keras.Model:
        function = self._model_function()
        if function is not None:
            values = self.get_params(deep=False)
            own = self._own_parameters()
            undeclared = {n for n in values if n not in own and n != "reuse" and "__" not in n}
            self._user_params = passed(function, values, own, undeclared, self._taken_by_keras())
        build = super(KerasEstimator, self._stand_in(_random_state=None))._build_keras_model
        with undisturbed():
            with seeded(self._random_state, clear_caches=not self.reuse) as seeding:
                model = build()
                stateful = seeding.drew_operation_seeds()
            if self.reuse and stateful:
                # The function draws from TensorFlow's stateful generators, which only start anew with cleared caches.
                with seeded(self._random_state, clear_caches=True):
                    model = build()
        return model

    def _initialize(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        X, y = super()._initialize(X, y)
        self._fit_callbacks = keras.tree.flatten(self._fit_callbacks)
        self._predict_callbacks = keras.tree.flatten(self._predict_callbacks)
        return X, y

    def _check_model_compatibility(self, y: Any) -> None:
        # A network that waits for its first data has no outputs that could be counted.
        if self.model_.built:
            super()._check_model_compatibility(y)

    def _fit_keras_model(
        self, X: Any, y: Any, sample_weight: Any, warm_start: bool, epochs: int, initial_epoch: int, **kwargs: Any
    ) -> None:
        reporter = current_reporter()
        callbacks = self._fit_callbacks if reporter is None else [*self._fit_callbacks, ReportEpochs(reporter)]
        model = ReusingModel(self.model_) if self.reuse else self.model_
        stand_in = self._stand_in(_random_state=None, _fit_callbacks=callbacks, model_=model)
        with reported_otherwise(), seeded(self._random_state, clear_caches=not self.reuse):
            super(KerasEstimator, stand_in)._fit_keras_model(
                X, y, sample_weight, warm_start, epochs, initial_epoch, **kwargs
            )
        self.history_ = stand_in.history_

    def _predict_raw(self, X: Any, **kwargs: Any) -> Any:
        if not (self.reuse and self.initialized_):
            return super()._predict_raw(X, **kwargs)
        stand_in = self._stand_in(model_=ReusingModel(self.model_))
        return super(KerasEstimator, stand_in)._predict_raw(X, **kwargs)

    def _portable(self, kind: str) -> PortableNetwork:
        batch_size = getattr(self, "predict__batch_size", self.batch_size) or 32
        return PortableNetwork(
            network=self.model_,
            kind=kind,
            feature_encoder=portable_feature_encoder(self.feature_encoder_),
            target_encoder=portable_target_encoder(self.target_encoder_),
            batch_size=_ALL_ROWS if batch_size == -1 else int(batch_size),
            labels=label_coding(self.target_encoder_),
            archive=archive_network,
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags
