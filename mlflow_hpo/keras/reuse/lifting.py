"""Scalars that are constants of a Keras graph but variables of a search, turned into runtime variables.

Zero and non-zero stay different graphs, since Keras leaves the operation out at zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.random import _cast_seed, _get_concrete_noise_shape
from keras.src.random.seed_generator import draw_seed

_PENALTIES = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)

# Attributes that an optimizer's update step reads through `ops.cast`, `ops.multiply` or `1 - ...` only.
_OPTIMIZER_SCALARS: dict[type, tuple[str, ...]] = {
    keras.optimizers.SGD: ("momentum", "weight_decay"),
    keras.optimizers.Adam: ("beta_1", "beta_2", "weight_decay"),
    keras.optimizers.AdamW: ("beta_1", "beta_2", "weight_decay"),
    keras.optimizers.RMSprop: ("rho", "momentum", "weight_decay"),
}


class Scalar(float):
    """A number that a graph reads at run time. To Python code, which asks whether it is zero, it is the first one set.

    Parameters
    ----------
    value : float
        The number.
    """

    dtype = "float32"

    def __init__(self, value: float) -> None:
        self._variable = tf.Variable(value, dtype=tf.float32, trainable=False)
        self._value = value
        self._remainders: dict[float, Scalar] = {}

    def set(self, value: float) -> None:
        """Let graphs read another number from now on."""
        self._value = value
        self._variable.assign(value)
        for whole, remainder in self._remainders.items():
            remainder.set(whole - value)

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        value = self._variable.read_value()
        return value if dtype is None else tf.cast(value, dtype)

    def __rsub__(self, whole: float) -> Scalar:
        # `1 - beta` is rounded to float32 once, as Keras does it, not from an already rounded beta.
        if whole not in self._remainders:
            self._remainders[whole] = Scalar(whole - self._value)
        return self._remainders[whole]


class _LiftedDropout(keras.layers.Dropout):
    """Dropout with the same operations as `tf.nn.experimental.stateless_dropout` at a constant rate."""

    lifted_rate: Scalar
    lifted_scale: Scalar

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop a share of the inputs."""
        if not training:
            return inputs
        seed = _cast_seed(draw_seed(self.seed_generator))
        shape = _get_concrete_noise_shape(inputs, self.noise_shape)
        noise = tf.random.stateless_uniform(shape, seed=seed, dtype=inputs.dtype)
        scaled = inputs * tf.convert_to_tensor(self.lifted_scale, dtype=inputs.dtype)
        kept = noise >= tf.convert_to_tensor(self.lifted_rate, dtype=inputs.dtype)
        return tf.where(kept, scaled, tf.zeros((), dtype=inputs.dtype))

    def set_rate(self, rate: float) -> None:
        """Drop another share from now on."""
        self.lifted_rate.set(rate)
        self.lifted_scale.set(1 / (1 - rate))


class _LiftedPenalty(keras.regularizers.Regularizer):
    """An L1, L2 or L1L2 regularizer with its operations in the same order."""

    def __init__(self, original: keras.regularizers.Regularizer) -> None:
        self._from_zero = isinstance(original, keras.regularizers.L1L2)
        self.l1 = self._lift(original, "l1")
        self.l2 = self._lift(original, "l2")

    def _lift(self, original: Any, name: str) -> Any:
        value = getattr(original, name, None)
        if value is None or (self._from_zero and float(value) == 0):
            return None
        return Scalar(float(value)) if float(value) else 0.0

    def __call__(self, x: Any) -> Any:
        terms = []
        if self.l1 is not None:
            terms.append(keras.ops.cast(self.l1, x.dtype) * keras.ops.sum(keras.ops.absolute(x)))
        if self.l2 is not None:
            terms.append(keras.ops.cast(self.l2, x.dtype) * keras.ops.sum(keras.ops.square(x)))
        total = keras.ops.convert_to_tensor(0.0, dtype=x.dtype) if self._from_zero else terms.pop(0)
        for term in terms:
            total += term
        return total


def is_liftable_rate(rate: float) -> bool:
    """Return whether a dropout layer's rate can be lifted: at 0 and 1 Keras builds another graph."""
    return 0 < rate < 1


def _dropouts(model: keras.Model) -> Iterator[keras.layers.Dropout]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _dropouts(layer)
        elif type(layer) is keras.layers.Dropout and is_liftable_rate(layer.rate):
            yield layer


def _penalized(model: keras.Model) -> Iterator[Any]:
    return (variable for variable in model.weights if isinstance(getattr(variable, "regularizer", None), _PENALTIES))


def _penalty_names(regularizer: Any) -> list[str]:
    return [name for name in ("l1", "l2") if float(getattr(regularizer, name, 0.0)) != 0]


def penalty_structure(model: keras.Model) -> list[Any]:
    """Return which coefficients of which weights are lifted."""
    weights = model.weights
    lifted = {id(variable) for variable in _penalized(model)}
    return [[i, _penalty_names(v.regularizer)] for i, v in enumerate(weights) if id(v) in lifted]


def optimizer_scalars(optimizer: Any) -> list[str]:
    """Return the names of an optimizer's attributes that are lifted."""
    names = _OPTIMIZER_SCALARS.get(type(optimizer), ())
    return [name for name in names if getattr(optimizer, name)]


def read_scalars(model: keras.Model) -> list[float]:
    """Return the scalars of a network as its user built it, in the order of `lift`."""
    values = [float(layer.rate) for layer in _unique(_dropouts(model))]
    for variable in _penalized(model):
        regularizer = variable.regularizer
        values += [float(getattr(regularizer, name)) for name in _penalty_names(regularizer)]
    optimizer = model.optimizer
    return values + [float(getattr(optimizer, name)) for name in optimizer_scalars(optimizer)]


def lift(model: keras.Model) -> list[Callable[[float], None]]:
    """Turn the scalars of a network that nobody else uses into runtime variables, before it is traced.

    Returns
    -------
    list of callable
        Each sets one scalar, in the order of `read_scalars`.
    """
    setters: list[Callable[[float], None]] = []
    for layer in list(_unique(_dropouts(model))):
        layer.__class__ = _LiftedDropout
        layer.lifted_rate, layer.lifted_scale = Scalar(layer.rate), Scalar(1 / (1 - layer.rate))
        setters.append(layer.set_rate)
    for variable in list(_penalized(model)):
        names = _penalty_names(variable.regularizer)
        penalty = _LiftedPenalty(variable.regularizer)
        variable.regularizer = penalty
        setters += [getattr(penalty, name).set for name in names]
    for name in optimizer_scalars(model.optimizer):
        scalar = Scalar(float(getattr(model.optimizer, name)))
        # A variable that is first made while tracing would have everything traced twice.
        1 - scalar
        setattr(model.optimizer, name, scalar)
        setters.append(scalar.set)
    return setters


def _unique(layers: Iterator[Any]) -> Iterator[Any]:
    seen: set[int] = set()
    for layer in layers:
        if id(layer) not in seen:
            seen.add(id(layer))
            yield layer
