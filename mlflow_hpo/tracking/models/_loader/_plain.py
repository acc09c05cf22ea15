"""A `NetworkPredictor` as plain data: most are a network and labels, which JSON holds without skops and any pickle."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._labels import LabelDecoder
from ._network import NetworkPredictor

_SCALARS = (bool, int, float, str)


def plain_predictor(predictor: NetworkPredictor) -> dict[str, Any] | None:
    """Return a predictor as what JSON can hold; None where something in it is more than numbers and labels."""
    settings = predictor.get_params(deep=False)
    decoder = settings.pop("target_encoder")
    if not isinstance(decoder, LabelDecoder | None):
        return None
    parts = {
        "settings": settings,
        "labels": decoder.get_params(deep=False) if decoder is not None else {},
        "fitted": {name: value for name, value in vars(predictor).items() if name.endswith("_")},
    }
    try:
        return {part: {name: _plain(value) for name, value in values.items()} for part, values in parts.items()}
    except TypeError:
        return None


def predictor_from(plain: dict[str, Any]) -> NetworkPredictor:
    """Return the predictor that `plain_predictor` made plain data of."""
    parts = {part: {name: _restored(value) for name, value in values.items()} for part, values in plain.items()}
    decoder = LabelDecoder(**parts["labels"]) if parts["labels"] else None
    predictor = NetworkPredictor(**parts["settings"], target_encoder=decoder)
    predictor.__setstate__(parts["fitted"])
    return predictor


def _plain(value: Any) -> Any:
    """Return numbers, texts and arrays of them as JSON has them, and of what type they are where it does not tell."""
    if value is None or type(value) in _SCALARS:
        return value
    if type(value) in (list, tuple):
        return {"type": type(value).__name__, "values": [_plain(item) for item in value]}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufUO":
        return {"type": value.dtype.str, "values": _scalars(value.tolist())}
    raise TypeError(type(value).__name__)


def _scalars(values: Any) -> Any:
    if type(values) is list:
        return [_scalars(value) for value in values]
    if type(values) not in _SCALARS:
        raise TypeError(type(values).__name__)
    return values


def _restored(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value["type"] in ("list", "tuple"):
        items = [_restored(item) for item in value["values"]]
        return tuple(items) if value["type"] == "tuple" else items
    array = np.array(value["values"], dtype=value["type"])
    return array if array.ndim else array[()]
