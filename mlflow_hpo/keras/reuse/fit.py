"""`fit` and `predict` of `keras.Model` through a compiled twin, or by Keras itself where that is not possible."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend import config as keras_config
from keras.src.callbacks.callback import Callback
from keras.src.callbacks.callback_list import CallbackList
from keras.src.callbacks.history import History
from keras.src.callbacks.model_checkpoint import ModelCheckpoint
from keras.src.callbacks.progbar_logger import ProgbarLogger
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.utils.python_utils import is_default, pythonify_logs
from tensorflow.python.framework import config as tf_config

from mlflow_hpo.keras._seeding import drawing_alone, forget_kernels_of
from mlflow_hpo.keras.callbacks import ReportEpochs
from mlflow_hpo.keras.reuse.data import Data, adapt
from mlflow_hpo.keras.reuse.errors import NotReusable
from mlflow_hpo.keras.reuse.key import network_key
from mlflow_hpo.keras.reuse.pool import TwinKey, pool
from mlflow_hpo.keras.reuse.shuffle import epoch_orders
from mlflow_hpo.keras.reuse.twin import Twin

_log = logging.getLogger(__name__)

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")
_PREDICT_HOOKS = ("on_predict_batch_begin", "on_predict_batch_end")
# These look at the logs only, so the network behind them need not be kept up to date.
_ONLOOKERS = (History, ProgbarLogger, ReportEpochs)


class ReusingModel:
    """A network whose `fit` and `predict` go through compiled graphs that equal networks share.

    Parameters
    ----------
    model : keras.Model
        The network; it owns its weights throughout.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def fit(self, **settings: Any) -> History:
        """Train as `keras.Model.fit` does, with the same result.

        Parameters
        ----------
        **settings : object
            Its arguments.

        Returns
        -------
        keras.callbacks.History
            As `keras.Model.fit` returns it.
        """
        try:
            fit = _prepare(self._model, **settings)
            with pool.lease(fit.key, lambda: fit.twin()) as twin:
                fit.make_ready(twin)
                history = fit.run(twin)
            forget_kernels_of(len(fit.model.variables) + len(fit.model.optimizer.variables))
            return history
        except NotReusable as reason:
            _log.debug("Keras trains %s itself: %s", self._model.name, reason)
        with drawing_alone():
            return self._model.fit(**settings)

    def predict(self, **settings: Any) -> Any:
        """Predict as `keras.Model.predict` does, with the same result.

        Parameters
        ----------
        **settings : object
            Its arguments.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            The network's outputs.
        """
        try:
            return _predict(self._model, **settings)
        except NotReusable as reason:
            _log.debug("Keras predicts with %s itself: %s", self._model.name, reason)
            return self._model.predict(**settings)


@dataclass(frozen=True)
class _Fit:
    """One fit that can share a graph, all its arguments looked at."""

    model: keras.Model
    key: TwinKey
    train: Data
    validation: Data | None
    callbacks: CallbackList
    epochs: int
    initial_epoch: int
    shuffle: bool
    validation_freq: Any

    def twin(self) -> Twin:
        """Return a new twin of the network."""
        try:
            return Twin(self.model, self.train)
        except Exception as reason:  # whatever it is, Keras itself may get by, or raises it where users know it
            raise NotReusable(f"it cannot be copied: {reason}") from reason

    def make_ready(self, twin: Twin) -> None:
        """Do all that may show that Keras has to do it."""
        try:
            twin.compile("train", self.train)
            if self.validation is not None:
                twin.compile("evaluate", self.validation)
        except Exception as reason:  # as above
            raise NotReusable(f"its graph cannot be compiled: {reason}") from reason
        self.model.optimizer.build(self.model.trainable_variables)
        twin.load_scalars(self.model)
        twin.load(self.model)

    def run(self, twin: Twin) -> History:
        """Train, as `keras.Model.fit` does it."""
        model, callbacks = self.model, self.callbacks
        followed = any(not isinstance(callback, _ONLOOKERS) for callback in callbacks.callbacks)
        next_order = epoch_orders(self.train.rows, self.shuffle)
        model.stop_training = False
        callbacks.on_train_begin()
        logs = None
        try:
            for epoch in range(model._initial_epoch or self.initial_epoch, self.epochs):
                callbacks.on_epoch_begin(epoch)
                if followed:
                    twin.load(model)
                logs = twin.renamed(twin.train_epoch(self.train, next_order(), is_alone=pool.has_lent_one), model)
                if followed:
                    twin.store(model)
                logs.update(self._validate(twin, epoch))
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
        finally:
            if not followed:
                twin.store(model)
        callbacks.on_train_end(logs)
        return model.history

    def _validate(self, twin: Twin, epoch: int) -> dict[str, float]:
        if self.validation is None or not self.model._should_eval(epoch, self.validation_freq):
            return {}
        self.callbacks.on_test_begin()
        logs = pythonify_logs(twin.renamed(twin.evaluate(self.validation, is_alone=pool.has_lent_one), self.model))
        self.callbacks.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}


def _prepare(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: Any = True,
    class_weight: Any = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
    **others: Any,
) -> _Fit:
    _require(not any(value is not None for value in others.values()), "it counts steps")
    _require(isinstance(shuffle, bool), "it shuffles batches")
    _require_plain_tensorflow()
    callbacks = _flat(callbacks)
    _require_hooks_unused(callbacks, _BATCH_HOOKS)
    if validation_split and validation_data is None:
        arrays = (x, y, sample_weight)
        (x, y, sample_weight), validation_data = array_slicing.train_validation_split(arrays, validation_split)
    train = adapt(x, y, sample_weight, batch_size=batch_size, class_weight=class_weight)
    validation = None
    if validation_data is not None:
        _require_hooks_unused(callbacks, _TEST_HOOKS)
        _require(isinstance(validation_data, tuple | list), "its validation data are no arrays")
        parts = data_adapter_utils.unpack_x_y_sample_weight(validation_data)
        validation = adapt(*parts, batch_size=validation_batch_size or batch_size)
    _build(model, train)
    key = TwinKey(network_key(model, input_names=train.has_named_inputs()), train.spec, _deterministic())
    return _Fit(
        model=model,
        key=key,
        train=train,
        validation=validation,
        callbacks=CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=train.steps,
            model=model,
        ),
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=shuffle,
        validation_freq=validation_freq,
    )


def _predict(
    model: keras.Model,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = "auto",
    steps: Any = None,
    callbacks: Any = None,
) -> Any:
    _require(steps is None, "it counts steps")
    _require_plain_tensorflow()
    callbacks = _flat(callbacks)
    _require_hooks_unused(callbacks, _PREDICT_HOOKS)
    _require(model.compiled, "it is not compiled")
    data = adapt(x, batch_size=batch_size)
    _require(data.rows > 0, "there are no rows")
    with pool.lease_idle(network_key(model, input_names=data.has_named_inputs())) as twin:
        if twin is None:
            raise NotReusable("no graph of it is compiled")
        twin.load_weights(model)
        hooks = CallbackList(
            callbacks, add_progbar=verbose != 0, verbose=verbose, epochs=1, steps=data.steps, model=model
        )
        hooks.on_predict_begin()
        outputs = twin.predict(data)
        twin.store_seeds(model)
        hooks.on_predict_end()
        return outputs


def _build(model: keras.Model, data: Data) -> None:
    """Build a network that waits for its first data, as the first step would."""
    if not model.built and type(model) is keras.Sequential:
        x = data.tensors[0] if isinstance(data.tensors, tuple) else data.tensors
        _require(isinstance(x, tf.Tensor), "it is not built")
        model.build((None, *x.shape[1:]))


def _flat(callbacks: Any) -> list[Callback]:
    _require(not isinstance(callbacks, CallbackList), "it brings a list of callbacks of its own")
    return list(keras.tree.flatten(callbacks)) if callbacks else []


def _require_hooks_unused(callbacks: list[Callback], hooks: tuple[str, ...]) -> None:
    for callback in callbacks:
        epochs_only = type(callback) is ModelCheckpoint and callback.save_freq == "epoch"
        if epochs_only or isinstance(callback, _ONLOOKERS):
            continue
        used = [name for name in hooks if not is_default(getattr(callback, name))]
        _require(not used, f"callback {type(callback).__name__} has {', '.join(used)}")


def _require_plain_tensorflow() -> None:
    _require(not tf.config.functions_run_eagerly() and tf.executing_eagerly(), "functions run eagerly")
    _require(not keras_config.max_epochs() and not keras_config.max_steps_per_epoch(), "epochs are cut short")


def _deterministic() -> bool:
    return bool(tf_config.is_op_determinism_enabled())


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NotReusable(otherwise)
