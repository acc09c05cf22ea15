"""How trials and their parameters are called where people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_hpo.core.redact import printable
from mlflow_hpo.tracking import names

_NAME_LENGTH = 120
_VALUE_LENGTH = 40


def trial_name(number: int, params: Mapping[str, Any]) -> str:
    """Return what a trial's run is called.

    Examples
    --------
    >>> trial_name(7, {"clf__C": 0.123456, "penalty": "l2"})
    'trial 007 C=0.1235 penalty=l2'
    """
    return names.cut(f"{trial_label(number)} {short_params(params)}".strip(), _NAME_LENGTH)


def trial_label(number: int) -> str:
    """Return the beginning of a trial's name, which is enough to find it."""
    return f"trial {number:03d}"


def short_params(params: Mapping[str, Any]) -> str:
    """Return parameters on one line, under the last part of their names."""
    return " ".join(f"{short_name(name)}={short_value(value)}" for name, value in params.items())


def short_name(name: str) -> str:
    """Return the last part of a parameter's name."""
    return printable(name.rpartition("__")[2])


def short_value(value: Any) -> str:
    """Return a parameter's value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else printable(names.cut(names.param_value(value), _VALUE_LENGTH))
