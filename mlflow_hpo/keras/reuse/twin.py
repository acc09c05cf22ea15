"""A network whose graphs are compiled once, and into which the state of equal networks is loaded."""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress
from typing import Any

import keras
import tensorflow as tf

from mlflow_hpo.keras._seeding import without_drawing
from mlflow_hpo.keras.reuse.data import Data
from mlflow_hpo.keras.reuse.errors import NotReusable
from mlflow_hpo.keras.reuse.graph import Loop, compiled
from mlflow_hpo.keras.reuse.key import metric_names
from mlflow_hpo.keras.reuse.lifting import lift, read_scalars


class Twin:
    """A compiled copy of a network. Used by one fit at a time.

    Parameters
    ----------
    model : keras.Model
        The network to copy, built and compiled; it is not changed.
    data : Data
        Data of the kind that it will be trained on.
    """

    def __init__(self, model: keras.Model, data: Data) -> None:
        with without_drawing():
            self._model = _copy(model)
            self._setters = lift(self._model)
            _build(self._model, data)
        self._weights = weight_state(self._model)
        self._optimizer = self._model.optimizer.variables
        self._names = metric_names(self._model)
        self._graphs: dict[tuple[str, str, int | None], Callable[..., Any]] = {}

    def load(self, model: keras.Model) -> None:
        """Take over all of a network's state: weights, seeds, optimizer."""
        self.load_weights(model)
        _assign(self._optimizer, model.optimizer.variables)

    def load_weights(self, model: keras.Model) -> None:
        """Take over a network's weights and seeds."""
        _assign(self._weights, weight_state(model))

    def load_scalars(self, model: keras.Model) -> None:
        """Take over the scalars that a network was built with."""
        for setter, value in zip(self._setters, read_scalars(model), strict=True):
            setter(value)

    def store(self, model: keras.Model) -> None:
        """Give a network all state."""
        _assign(weight_state(model), self._weights)
        _assign(model.optimizer.variables, self._optimizer)

    def store_seeds(self, model: keras.Model) -> None:
        """Give a network what predicting changes: some layers draw seeds even then."""
        fixed = [not variable.trainable for variable in self._weights]
        _assign(list(compress(weight_state(model), fixed)), list(compress(self._weights, fixed)))

    def renamed(self, logs: dict[str, Any], model: keras.Model) -> dict[str, Any]:
        """Return logs under the names that another network's metrics have."""
        names = dict(zip(self._names, metric_names(model), strict=True))
        return {names.get(name, name): value for name, value in logs.items()}

    def compile(self, kind: str, data: Data) -> Callable[..., Any]:
        """Return the graph for data of this kind, traced now if it is the first time.

        Parameters
        ----------
        kind : {"train", "evaluate", "predict"}
            What it does.
        data : Data
            Data of the kind that it gets.
        """
        key = (kind, data.spec, data.batch_rows)
        if key not in self._graphs:
            build = {"train": self._train_graph, "evaluate": self._evaluate_graph, "predict": self._predict_graph}[kind]
            self._graphs[key] = build(data)
        return self._graphs[key]

    def train_epoch(self, data: Data, order: tf.Tensor, *, is_alone: bool) -> dict[str, Any]:
        """Train for one epoch and return its metrics.

        Parameters
        ----------
        data : Data
        order : tf.Tensor of shape (rows,)
            In which the rows are taken.
        is_alone : bool
            Whether no other fit runs in this process.
        """
        graph = self.compile("train", data)
        batch_size = tf.constant(data.batch_size, tf.int64)
        return dict(graph(data.tensors, order, batch_size, rows=data.rows, is_alone=is_alone))

    def evaluate(self, data: Data, *, is_alone: bool) -> dict[str, Any]:
        """Return the metrics on data; parameters as for `train_epoch`."""
        graph = self.compile("evaluate", data)
        batch_size = tf.constant(data.batch_size, tf.int64)
        return dict(graph(data.tensors, batch_size, rows=data.rows, is_alone=is_alone))

    def predict(self, data: Data) -> Any:
        """Return the outputs for data, of shape (rows, ...)."""
        graph = self.compile("predict", data)
        return graph(data.tensors, tf.constant(data.batch_size, tf.int64)).numpy()

    def _train_graph(self, like: Data) -> Callable[..., Any]:
        model, batch_signature = self._model, like.batch_signature

        def train(step: Any, data: Any, order: tf.Tensor, batch_size: tf.Tensor) -> dict[str, tf.Tensor]:
            def train_batch(start: tf.Tensor) -> tuple[tf.Tensor]:
                rows = order[start : start + batch_size]
                batch = keras.tree.map_structure(lambda array: tf.gather(array, rows), data)
                step(_shaped(batch, batch_signature))
                return (start + batch_size,)

            return _in_batches(model, train_batch, tf.size(order, tf.int64))

        numbers = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int64)
        return Loop(train, model.train_step, batch_signature, like.signature, *numbers)

    def _evaluate_graph(self, like: Data) -> Callable[..., Any]:
        model, batch_signature = self._model, like.batch_signature

        def evaluate(step: Any, data: Any, batch_size: tf.Tensor) -> dict[str, tf.Tensor]:
            def evaluate_batch(start: tf.Tensor) -> tuple[tf.Tensor]:
                step(_shaped(_batch(data, start, batch_size), batch_signature))
                return (start + batch_size,)

            return _in_batches(model, evaluate_batch, _rows(data))

        return Loop(evaluate, model.test_step, batch_signature, like.signature, tf.TensorSpec((), tf.int64))

    def _predict_graph(self, like: Data) -> Callable[..., Any]:
        model, batch_signature = self._model, like.batch_signature

        def predict(data: Any, batch_size: tf.Tensor) -> tf.Tensor:
            rows = _rows(data)
            steps = (rows + batch_size - 1) // batch_size

            def step(number: tf.Tensor, outputs: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
                batch = _shaped(_batch(data, number * batch_size, batch_size), batch_signature)
                output = model.predict_step(batch)
                return number + 1, outputs.write(tf.cast(number, tf.int32), output)

            dtype = model.outputs[0].dtype
            outputs = tf.TensorArray(dtype, size=tf.cast(steps, tf.int32), infer_shape=False)
            zero = tf.constant(0, tf.int64)
            _, outputs = tf.while_loop(lambda n, _: n < steps, step, (zero, outputs), parallel_iterations=1)
            return outputs.concat()

        return compiled(predict, like.signature, tf.TensorSpec((), tf.int64))


def weight_state(model: keras.Model) -> list[Any]:
    """Return all variables of a network that training may change, but for its metrics and optimizer."""
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _copy(model: keras.Model) -> keras.Model:
    copy = type(model).from_config(model.get_config())
    compiled = dict(model._compile_config.config)
    parts = ("loss", "loss_weights", "metrics", "weighted_metrics")
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    copy.compile(optimizer=optimizer, jit_compile=False, **{part: _copy_part(compiled.get(part)) for part in parts})
    return copy


def _copy_part(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _copy_part(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_copy_part(value) for value in part]
    if isinstance(part, keras.losses.Loss | keras.metrics.Metric):
        return type(part).from_config(part.get_config())
    return part


def _build(model: keras.Model, data: Data) -> None:
    """Create all variables that Keras creates in its first step, so that one trace does."""
    model.optimizer.build(model.trainable_variables)
    model.test_step(keras.tree.map_structure(lambda tensor: tensor[:1], data.tensors))


def _assign(targets: list[Any], sources: list[Any]) -> None:
    if [v.shape for v in targets] != [v.shape for v in sources]:
        raise NotReusable("its variables are others than those of its configuration")
    for target, source in zip(targets, sources, strict=True):
        target._value.assign(source._value)


def _in_batches(model: keras.Model, step: Callable[..., Any], rows: tf.Tensor) -> dict[str, tf.Tensor]:
    for metric in model.metrics:
        metric.reset_state()
    start = tf.constant(0, tf.int64)
    tf.while_loop(lambda start: start < rows, step, (start,), parallel_iterations=1)
    return dict(model.get_metrics_result())


def _rows(data: Any) -> tf.Tensor:
    return tf.shape(keras.tree.flatten(data)[0], tf.int64)[0]


def _batch(data: Any, start: tf.Tensor, batch_size: tf.Tensor) -> Any:
    return keras.tree.map_structure(lambda array: array[start : start + batch_size], data)


def _shaped(batch: Any, signature: Any) -> Any:
    return keras.tree.map_structure(lambda tensor, spec: tf.ensure_shape(tensor, spec.shape), batch, signature)
