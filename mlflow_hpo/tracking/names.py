"""Names and values as MLflow accepts them: its allowed letters, its limits of length."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

_FORBIDDEN = re.compile(r"[^\w\-. :/]")
_KEY_LENGTH = 250
_PARAM_LENGTH = 6000
_TAG_LENGTH = 8000
_RUN_NAME_LENGTH = 250

PARENT_RUN_ID = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
VIEW = "mlflow.sharedViewState."
OUR_VIEWS = "mlflow_hpo."

KIND = "mlflow_hpo.kind"
TRIAL = "mlflow_hpo.trial"
ERROR = "mlflow_hpo.error"
PICKLE = "mlflow_hpo.pickle"
STUDY = "mlflow_hpo.study"
INSIDE_STUDY = "mlflow_hpo.inside.study"
INSIDE_RUN = "mlflow_hpo.inside.study_run"
INSIDE_TRIAL = "mlflow_hpo.inside.trial"
REUSED = "mlflow_hpo.reused_from"
STOPPED = "mlflow_hpo.stopped"
THREADS = "mlflow_hpo.n_threads"
STRATEGY = "mlflow_hpo.strategy"
METRIC = "mlflow_hpo.metric"
DIRECTION = "mlflow_hpo.greater_is_better"
BEST_TRIAL = "mlflow_hpo.best_trial"
BEST_PARAMS = "mlflow_hpo.best_params"

# What a resumed study reads and nobody else: the UI hides tags that begin so.
PARTS = "_mlflow_hpo.parts"
TRIAL_KEY = "_mlflow_hpo.trial_key"
LOST = "_mlflow_hpo.lost"
RESULT = "_mlflow_hpo.result."


def key(name: str) -> str:
    """Return `name` as a key that MLflow takes for params, metrics and tags.

    Examples
    --------
    >>> key("clf__l2=(weights)")
    'clf__l2__weights_'
    """
    allowed = _FORBIDDEN.sub("_", name)[:_KEY_LENGTH]
    is_path = posixpath.normpath(allowed) == allowed and not allowed.startswith(("/", ".."))
    return allowed if is_path else allowed.replace("/", "_").replace(".", "_") or "_"


def param_value(value: Any) -> str:
    """Return the text of a parameter's value: one line, no longer than MLflow keeps.

    Examples
    --------
    >>> import numpy as np
    >>> param_value(np.float64(0.1)), param_value(None), param_value(len)
    ('0.1', 'None', 'len')
    """
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return cut(" ".join(storable(str(value)).split()), _PARAM_LENGTH)


def params(values: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as MLflow takes them.

    Examples
    --------
    >>> params({"learning_rate": 0.1})
    {'learning_rate': '0.1'}
    """
    return {key(name): param_value(value) for name, value in values.items()}


def tag_value(value: Any) -> str:
    """Return the text of a tag's value, no longer than MLflow keeps."""
    return cut(storable(str(value)), _TAG_LENGTH)


def run_name(name: str) -> str:
    """Return the name of a run, no longer than MLflow's databases keep: sqlite alone does not check it."""
    return cut(storable(name), _RUN_NAME_LENGTH)


def storable(text: str) -> str:
    r"""Return a text that every store takes: PostgreSQL knows no zero character, and UTF-8 no half of a surrogate pair.

    Examples
    --------
    >>> print(storable("größer \0 \udcff"))
    größer \x00 \udcff
    """
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def cut(text: str, length: int) -> str:
    """Return `text`, shortened to `length` characters with an ellipsis where it is longer.

    Examples
    --------
    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"
