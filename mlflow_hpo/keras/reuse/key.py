"""Which networks compile to the same graph: a key of all that enters it, names, seeds and lifted scalars left out."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.metrics.reduction_metrics import MeanMetricWrapper
from keras.src.models.functional import Functional

from mlflow_hpo.keras.reuse.errors import NotReusable
from mlflow_hpo.keras.reuse.lifting import is_liftable_rate, optimizer_scalars, penalty_structure

_NETWORKS = (keras.Sequential, Functional)

# Layers whose graph follows from their configuration and whose state is all in their variables. Of the preprocessing
# layers only the one that has nothing to adapt: what the others have adapted becomes constants.
_LAYERS = re.compile(
    r"keras\.src\.layers\.(activations|attention|convolutional|core|merging|normalization|pooling|regularization"
    r"|reshaping|rnn)\.|keras\.src\.layers\.preprocessing\.rescaling$"
)
_OPERATIONS = re.compile(r"keras\.src\.ops\.")
_LEFT_OUT_LAYERS = (keras.layers.Lambda, keras.layers.Normalization)
_OPTIMIZERS = (
    keras.optimizers.SGD,
    keras.optimizers.RMSprop,
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.Adamax,
    keras.optimizers.Nadam,
    keras.optimizers.Adagrad,
    keras.optimizers.Adadelta,
    keras.optimizers.Ftrl,
    keras.optimizers.Lion,
)
# These hold any function, so that their class does not say what they compute.
_HOLDERS = (LossFunctionWrapper, MeanMetricWrapper)
_LIFTED = "<lifted>"
# Plain data in a configuration that JSON has no words for.
_MARKERS = frozenset({"__keras_tensor__", "__numpy__", "__tensor__", "__tuple__"})


def network_key(model: keras.Model, *, input_names: bool = False) -> str:
    """Return the digest that two compiled networks share exactly if one graph serves both.

    Parameters
    ----------
    model : keras.Model
        A built and compiled network.
    input_names : bool
        Whether the names of its inputs matter, as they do where data comes as a dict.

    Raises
    ------
    NotReusable
        It holds something whose graph does not follow from its configuration.
    """
    _check_model(model)
    description = [
        _Canonical(input_names).network(model.get_config()),
        penalty_structure(model),
        _optimizer(model.optimizer),
        _compiled(model),
        [keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()],
    ]
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def metric_names(model: keras.Model) -> list[str]:
    """Return the names under which a network's own metrics report, in order."""
    compiled = _compile_config(model)
    metrics = keras.tree.flatten([compiled.get("metrics"), compiled.get("weighted_metrics")])
    return [
        m if isinstance(m, str) else getattr(m, "name", getattr(m, "__name__", "")) for m in metrics if m is not None
    ]


def _compile_config(model: keras.Model) -> dict[str, Any]:
    return dict(model._compile_config.config)


def _check_model(model: keras.Model) -> None:
    _require(type(model) in _NETWORKS, "it is neither Sequential nor functional")
    _require(model.built and len(model.outputs) == 1, "it has not exactly one output")
    _require(not model.run_eagerly and not model.jit_compile, "it runs eagerly, or is compiled by XLA")
    _require(model.steps_per_execution == 1, "it runs several steps per execution")
    _require(model._distribute_strategy is None, "it is distributed")
    for layer in model._flatten_layers(include_self=False):
        _check_layer(layer)
    for operation in _operations(model):
        is_layer = isinstance(operation, keras.layers.Layer)
        _require(is_layer or bool(_OPERATIONS.match(type(operation).__module__)), f"{operation.name} is no Keras op")


def _check_layer(layer: keras.layers.Layer) -> None:
    kind = type(layer)
    known = kind in _NETWORKS or (_LAYERS.match(kind.__module__) and not issubclass(kind, _LEFT_OUT_LAYERS))
    _require(bool(known), f"layer {layer.name} of class {kind.__name__} may do more than its configuration says")
    _require(not getattr(layer, "stateful", False), f"layer {layer.name} is stateful")
    _require(layer.dtype_policy.name == "float32", f"layer {layer.name} computes in {layer.dtype_policy.name}")
    _require("call" not in vars(layer), f"the call of layer {layer.name} was replaced")
    # Looked for here because Keras warns when it describes a lambda.
    functions = [value for value in vars(layer).values() if inspect.isfunction(value) and not _is_own(value)]
    _require(not functions, f"layer {layer.name} uses a function that is not Keras's own")


def _operations(model: keras.Model) -> list[Any]:
    functional = model._functional if isinstance(model, keras.Sequential) else model
    operations = list(functional.operations)
    for operation in list(operations):
        if isinstance(operation, keras.Model):
            operations += _operations(operation)
    return operations


class _Canonical:
    """A network's configuration with names replaced by the order in which they appear."""

    def __init__(self, input_names: bool) -> None:
        self._input_names = input_names
        self._numbers: dict[str, int] = {}

    def network(self, config: dict[str, Any]) -> Any:
        """Describe a network, and those nested in it: the dropout layers in these are lifted."""
        result = self._dict({key: value for key, value in config.items() if key != "layers"})
        return {**result, "layers": [self._layer(layer) for layer in config["layers"]]}

    def _layer(self, layer: dict[str, Any]) -> Any:
        name, config = layer["class_name"], layer["config"]
        # The classes of layers were looked at on the layers themselves.
        result = self._dict({k: v for k, v in layer.items() if k not in ("module", "registered_name", "config")})
        if name in ("Sequential", "Functional"):
            return {**result, "config": self.network(config)}
        result["config"] = self._dict(config)
        if name == "Dropout" and is_liftable_rate(config["rate"]):
            result["config"]["rate"] = _LIFTED
        if name == "InputLayer" and self._input_names:
            result["real_name"] = config["name"]
        return result

    def _number(self, name: Any) -> Any:
        return self._numbers.setdefault(name, len(self._numbers)) if isinstance(name, str) else name

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._dict(value)
        if isinstance(value, list | tuple):
            return [self._value(item) for item in value]
        return _plain(value)

    def _dict(self, config: dict[str, Any]) -> dict[str, Any]:
        if "class_name" in config:
            _check_serialized(config)
        kept = {k: v for k, v in config.items() if k not in _SKIPPED and not k.endswith("_initializer")}
        return {key: self._entry(key, value) for key, value in kept.items()}

    def _entry(self, key: str, value: Any) -> Any:
        handlers: dict[str, Callable[[Any], Any]] = {
            "name": self._number,
            "dtype": _dtype,
            "seed": lambda _: None,
            "keras_history": self._reference,
            "input_layers": self._references,
            "output_layers": self._references,
        }
        if key.endswith("_regularizer") and key != "activity_regularizer":
            return _regularizer(value)
        return handlers.get(key, self._value)(value)

    def _reference(self, history: Any) -> Any:
        return [self._number(history[0]), *history[1:]]

    def _references(self, layers: Any) -> Any:
        if isinstance(layers, list | tuple) and len(layers) == 3 and isinstance(layers[0], str):
            return self._reference(layers)
        if isinstance(layers, dict):
            return {key: self._references(value) for key, value in layers.items()}
        return [self._references(layer) for layer in layers]


# Where weights start is loaded into a graph, so initializers do not enter it; the others say what is said elsewhere.
_SKIPPED = frozenset({"build_config", "compile_config", "registered_name", "build_input_shape"})


def _check_serialized(config: dict[str, Any]) -> None:
    """Refuse functions and classes that are not Keras's own; what a layer is was checked on the layer."""
    name, module = config["class_name"], config.get("module")
    if name.startswith("__"):
        _require(name in _MARKERS, f"its configuration holds a {name}")
    if "registered_name" not in config:
        return
    own = str(module).startswith("keras") and config.get("registered_name") in (None, name)
    _require(own, f"{config.get('registered_name') or name} is not Keras's own")


def _regularizer(config: Any) -> Any:
    if config is None:
        return None
    _require(isinstance(config, dict) and "class_name" in config, "a regularizer is a function")
    _check_serialized(config)
    if config["class_name"] in ("L1", "L2", "L1L2"):
        return [config["class_name"], {name: _LIFTED if value else 0 for name, value in config["config"].items()}]
    return [config["class_name"], _plain(config["config"])]


def _dtype(value: Any) -> Any:
    return value["config"]["name"] if isinstance(value, dict) else _plain(value)


def _optimizer(optimizer: Any) -> Any:
    _require(type(optimizer) in _OPTIMIZERS, f"optimizer {type(optimizer).__name__} is not known to start anew")
    _require(isinstance(optimizer._learning_rate, keras.Variable), "its learning rate is a schedule or a function")
    _require(not optimizer.use_ema, "its optimizer averages weights")
    excluded = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    _require(not excluded and not getattr(optimizer, "_exclude_from_weight_decay", None), "weight decay is partial")
    config = {key: value for key, value in optimizer.get_config().items() if key not in ("name", "learning_rate")}
    config.update(dict.fromkeys(optimizer_scalars(optimizer), _LIFTED))
    return [type(optimizer).__name__, _plain(config)]


def _compiled(model: keras.Model) -> Any:
    compiled = _compile_config(model)
    names = metric_names(model)
    _require(len(set(names)) == len(names), "two metrics have one name")
    parts = ("loss", "loss_weights", "metrics", "weighted_metrics")
    return [_compile_part(compiled.get(part)) for part in parts]


def _compile_part(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _compile_part(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_compile_part(value) for value in part]
    if isinstance(part, keras.losses.Loss | keras.metrics.Metric):
        kind = type(part)
        _require(_is_own(kind) and kind not in _HOLDERS, f"{kind.__name__} is not Keras's own")
        config = {key: value for key, value in part.get_config().items() if key != "name"}
        return [kind.__module__, kind.__name__, _plain(config)]
    if callable(part):
        _require(_is_own(part), f"{getattr(part, '__name__', part)} is not Keras's own")
        return [part.__module__, part.__name__]
    return _plain(part)


def _is_own(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("keras.src.")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, or refuse it."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise NotReusable(f"its configuration holds a {type(value).__name__}")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NotReusable(otherwise)
