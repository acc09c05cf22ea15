"""Digests: what changes them, what does not, and that other processes come to the same."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlflow_hpo.core.digest import UndigestibleError, digest, digest_parts

MODEL = """
from helpers import layer
import numbers_of_mine

WIDTH = 16

def create_model(rate=0.1):
    return layer(WIDTH) * rate * numbers_of_mine.factor()

def other():
    return 1

def late(x):
    import lazily
    return lazily.value + x

class Scale:
    factor = 2
    def apply(self, x):
        return x * self.factor
"""
FILES = {
    "model.py": MODEL,
    "helpers.py": "def layer(n):\n    return n + 1\n\ndef unused():\n    return 0\n",
    "numbers_of_mine.py": "def factor():\n    return 3\n",
    "lazily.py": "value = 1\n",
}
ASK = "import sys; from mlflow_hpo.core.digest import digest; import model; print(digest(getattr(model, sys.argv[1])))"


def ask(folder: Path, name: str, seed: str = "0", **changed: tuple[str, str]) -> str:
    """Return the digest of a name in `model.py`, as a process of its own sees it, some texts replaced before."""
    folder.mkdir(exist_ok=True)
    for file, source in FILES.items():
        old, new = changed.get(file.removesuffix(".py"), ("", ""))
        assert old in source
        (folder / file).write_text(source.replace(old, new, 1) if old else source)
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", ASK, name], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def test_code_counts_as_far_as_it_is_used(tmp_path: Path) -> None:
    same = ask(tmp_path, "create_model")
    assert ask(tmp_path, "create_model", seed="7") == same
    assert ask(tmp_path, "create_model", model=("return 1", "return 2")) == same
    assert ask(tmp_path, "create_model", helpers=("return 0", "return 5")) == same
    assert (
        ask(tmp_path, "create_model", helpers=("def layer(n):\n", 'def layer(n):\n    """Say."""\n    # why\n')) == same
    )
    changes: list[dict[str, tuple[str, str]]] = [
        {"helpers": ("n + 1", "n + 2")},
        {"model": ("WIDTH = 16", "WIDTH = 17")},
        {"model": ("rate=0.1", "rate=0.2")},
        {"model": ("* rate *", "+ rate *")},
        {"numbers_of_mine": ("return 3", "return 4")},
    ]
    digests = [ask(tmp_path, "create_model", **change) for change in changes]
    assert len({same, *digests}) == len(changes) + 1


def test_classes_and_late_imports_count(tmp_path: Path) -> None:
    assert ask(tmp_path, "late") != ask(tmp_path, "late", lazily=("value = 1", "value = 2"))
    assert ask(tmp_path, "Scale") != ask(tmp_path, "Scale", model=("x * self.factor", "x + self.factor"))
    assert ask(tmp_path, "Scale") != ask(tmp_path, "Scale", model=("factor = 2", "factor = 3"))
    assert ask(tmp_path, "Scale") == ask(tmp_path, "Scale", model=("return 1", "return 2"))


def closure(n: int) -> Any:
    def inner() -> int:
        return n

    return inner


def recursive(n: int) -> int:
    return 0 if n == 0 else recursive(n - 1)


PAIRS = [
    (1, 1.0),
    (1, True),
    ("1", 1),
    ([1, 2], (1, 2)),
    ([1, 2], [2, 1]),
    ({"a": 1}, {"a": 2}),
    (0.0, -0.0),
    (np.arange(4), np.arange(4.0)),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (np.array(["a", "b"]), np.array(["a", "c"])),
    (np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})),
    (pd.Series(["x"], dtype="category"), pd.Series(["y"], dtype="category")),
    (scipy.sparse.eye(3, format="csr"), scipy.sparse.eye(3, format="csr") * 2),
    (LogisticRegression(C=1.0), LogisticRegression(C=2.0)),
    (make_pipeline(StandardScaler(), LogisticRegression()), make_pipeline(StandardScaler(), LogisticRegression(C=2))),
    (KFold(3), KFold(4)),
    (loguniform(1, 2), loguniform(1, 3)),
    (np.random.RandomState(0), np.random.RandomState(1)),
    (np.random.default_rng(0), np.random.default_rng(1)),
    (functools.partial(max, 1), functools.partial(max, 2)),
    (closure(1), closure(2)),
    (lambda x: x, lambda x: x + 1),
    (FunctionTransformer(np.log), FunctionTransformer(np.exp)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=[str(type(pair[0]).__name__) + str(n) for n, pair in enumerate(PAIRS)])
def test_different_values_differ_and_a_value_is_like_itself(pair: tuple[Any, Any]) -> None:
    first, second = pair
    assert digest(first) != digest(second)
    assert digest(first) == digest(first)


def test_order_does_not_count_where_there_is_none() -> None:
    assert digest({"a": 1, "b": {2, 3}}) == digest({"b": {3, 2}, "a": 1})
    assert digest(np.asfortranarray(np.eye(3)[:, ::-1])) == digest(np.ascontiguousarray(np.eye(3)[:, ::-1]))


def test_what_is_fitted_does_not_count() -> None:
    fitted = LogisticRegression().fit([[0], [1]], [0, 1])
    assert digest(fitted) == digest(LogisticRegression())


def test_circles_end() -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    assert digest(circle) == digest(circle)
    assert digest(recursive) == digest(recursive)


def test_what_has_no_digest_is_named() -> None:
    with pytest.raises(UndigestibleError, match=r"estimator\.kw_args\.keys\[1\] is a _thread\.lock"):
        digest_parts({"estimator": FunctionTransformer(kw_args={"keys": [1, threading.Lock()]})})


@pytest.mark.slow
def test_keras_objects_count_by_their_settings() -> None:
    import keras

    assert digest(keras.optimizers.Adam(0.1)) == digest(keras.optimizers.Adam(0.1))
    assert digest(keras.optimizers.Adam(0.1)) != digest(keras.optimizers.Adam(0.2))
    assert digest(keras.layers.Dense(3)) == digest(keras.layers.Dense(3))
    assert digest([keras.callbacks.EarlyStopping(patience=1)]) != digest([keras.callbacks.EarlyStopping(patience=2)])
