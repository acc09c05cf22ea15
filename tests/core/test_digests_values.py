"""Digests of values: what is told apart, what is not, and what has no digest."""

from __future__ import annotations

import dataclasses
import enum
import functools
import pickle
import threading
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlflow_hpo.core.digest import UndigestibleError, digest, digest_parts

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str] = dataclasses.field(default_factory=list)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(PLAIN)
def test_order_of_keys_does_not_matter(value: Any) -> None:
    assert digest(value) == digest(reordered(value)) == digest(pickle.loads(pickle.dumps(value)))


def test_kinds_of_values_are_told_apart() -> None:
    values = [
        None, False, True, 0, 1, 1.0, -0.0, 0.0, 1 + 0j, "1", b"1", "", b"", ..., float("nan"), 10**5000,
        (), [], {}, set(), [1], (1,), {1}, [[1]], [1, 2], [2, 1], {"a": 1}, {1: "a"}, {"a": {"b": 1}}, [("a", 1)],
        np.float64(1), np.float32(1), np.int64(1), np.array(1), np.array([1]), np.array([[1]]), np.array([1.0]),
        np.str_("1"), np.array(["1"]), np.array(["1"], object), np.array([1, "1"], object),
        np.datetime64(1, "s"), np.datetime64(1, "ms"), np.dtype(float), Colour.RED, Colour.BLUE, Colour,
        Point(1), Point(2), Point(1, ["a"]), range(3), range(4), slice(1), SimpleNamespace(a=1), ValueError("a"),
        int, float, list[int], list[str], len, np.mean, np.add, np.subtract, str.lower, "a".lower, "b".lower,
    ]  # fmt: skip
    assert len({digest(value) for value in values}) == len(values)


def test_equal_values_in_other_clothes() -> None:
    assert digest(MappingProxyType({"a": 1})) == digest({"a": 1})
    assert digest({3, "b", None}) == digest({None, "b", 3})
    assert digest(float("nan")) == digest(-float("nan"))
    shared = [1, 2]
    assert digest([shared, shared]) == digest([[1, 2], [1, 2]])


def test_circles_end() -> None:
    def ring(n: int, content: int) -> list[Any]:
        first: list[Any] = [content]
        last = first
        for _ in range(n - 1):
            last = [content, last]
        first.append(last)
        return first

    assert digest(ring(1, 1)) == digest(ring(3, 1)) != digest(ring(3, 2))
    long = ring(3, 1)
    long[1][0] = 5
    assert digest(long) != digest(ring(3, 1))
    assert digest(long) == digest(pickle.loads(pickle.dumps(long)))


def test_what_is_far_down_a_circle_counts() -> None:
    def chain(end: str) -> dict[str, Any]:
        first: dict[str, Any] = {}
        last: dict[str, Any] = {"end": end, "back": first}
        for i in range(10):
            last = {str(i): last}
        first["next"] = last
        return first

    assert digest(chain("a")) == digest(chain("a")) != digest(chain("b"))


def test_arrays_count_by_content() -> None:
    array = np.arange(24.0).reshape(4, 6)
    assert digest(array[::2, ::3]) == digest(array[::2, ::3].copy())
    assert digest(array) != digest(array.astype(np.float32))
    assert digest(array) != digest(array.reshape(6, 4))
    assert digest(array) != digest(np.asfortranarray(array))  # sums have other last bits
    assert digest(array.T) == digest(np.asfortranarray(array.T.copy()))
    assert digest(np.empty((0, 3))) != digest(np.empty((0, 4)))
    changed = array.copy()
    changed[-1, -1] += 1e-12
    assert digest(array) != digest(changed)


def test_mapped_arrays_are_arrays(tmp_path: Any) -> None:
    array = np.arange(5)
    np.save(tmp_path / "a.npy", array)
    assert digest(np.load(tmp_path / "a.npy", mmap_mode="r")) == digest(array)


def test_records_count_by_fields_not_by_padding() -> None:
    dtype = np.dtype([("a", np.int8), ("b", np.float64)], align=True)
    records = np.frombuffer(b"\xff" * 32, dtype=np.uint8).copy().view(dtype)
    clean = np.zeros(2, dtype)
    for name in dtype.names or ():
        records[name] = clean[name] = 3
    assert digest(records) == digest(clean)


def test_strings_are_not_joined_by_mistake() -> None:
    assert digest(np.array(["ab", "c"], object)) != digest(np.array(["a", "bc"], object))
    variable = np.array(["a", "b"], np.dtypes.StringDType())
    assert digest(variable) == digest(variable.copy()) != digest(np.array(["a", "c"], np.dtypes.StringDType()))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
def test_sparse_matrices(kind: str) -> None:
    dense = np.diag([1.0, 2.0, 0.0])
    matrix = sparse.csr_matrix(dense).asformat(kind)
    before = digest(matrix)
    matrix @ np.ones(3)
    _ = matrix.tocsr().has_canonical_format, getattr(matrix, "has_sorted_indices", None)
    assert digest(matrix) == before == digest(matrix.copy()) != digest((2 * matrix).asformat(kind))


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [1.0, 2.0],
            "text": ["a", None],
            "kind": pd.Categorical(["x", "y"]),
            "time": pd.to_datetime(["2020-01-01", "2021-01-01"]).tz_localize("UTC"),
            "whole": pd.array([1, None], dtype="Int64"),
        }
    )


def test_tables() -> None:
    assert digest(frame()) == digest(frame().copy())
    others = [
        frame().rename(columns={"number": "n"}),
        frame().set_index(pd.Index([1, 2])),
        frame().astype({"number": "float32"}),
        frame()[["text", "number", "kind", "time", "whole"]],
        frame().assign(kind=pd.Categorical(["x", "y"], ["y", "x"])),
        frame().assign(whole=pd.array([1, 2], dtype="Int64")),
        frame().assign(text=["a", "b"]),
        frame()["number"],
        frame()["number"].rename("n"),
        pd.MultiIndex.from_tuples([(1, "a"), (1, "b")], names=["i", "j"]),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["i", "j"]),
        pd.Index([1, 2]),
        pd.Timestamp("2020-01-01"),
    ]
    assert len({digest(frame()), *map(digest, others)}) == len(others) + 1


def test_estimators_count_by_parameters() -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 3)), [0, 1] * 10
    model = make_pipeline(StandardScaler(), LogisticRegression())
    before = digest({"estimator": model})
    model.fit(X, y)
    assert digest({"estimator": model}) == before
    model.set_params(logisticregression__C=2)
    assert digest({"estimator": model}) != before


def test_what_clone_does_not_reach_counts_by_state() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    before, after = (StandardScaler().fit(data) for data in (X, 2 * X))
    for hold in (
        lambda scaler: FunctionTransformer(np.multiply, kw_args={"by": scaler}),
        lambda scaler: make_pipeline(FrozenEstimator(scaler), LogisticRegression()),
        lambda scaler: functools.partial(np.multiply, scaler),
    ):
        assert digest(hold(before)) == digest(hold(pickle.loads(pickle.dumps(before)))) != digest(hold(after))
    assert digest(before) == digest(after)


def test_searches_splitters_and_distributions() -> None:
    values = [
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}),
        GridSearchCV(LogisticRegression(), {"C": [1, 3]}),
        KFold(3),
        KFold(4),
        KFold(3, shuffle=True, random_state=1),
        ShuffleSplit(3, random_state=np.random.RandomState(0)),
        stats.uniform(0, 1),
        stats.uniform(0, 2),
        stats.loguniform(1, 2),
        stats.randint(0, 2),
        functools.partial(np.mean, axis=0),
        functools.partial(np.mean, axis=1),
        KFold(3).split,
        KFold(4).split,
    ]
    assert len(set(map(digest, values))) == len(values)
    assert [digest(one) for one in pickle.loads(pickle.dumps(values))] == [digest(one) for one in values]


def test_use_does_not_change_a_distribution() -> None:
    distribution = stats.uniform(0, 1)
    before = digest(distribution)
    distribution.rvs(3)
    assert digest(distribution) == before


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_count_by_state(make: Any) -> None:
    generator = make(0)
    assert digest(generator) == digest(make(0)) != digest(make(1))
    generator.normal()
    assert digest(generator) != digest(make(0))


class Holder:
    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)


def locked() -> Any:
    return LOCK


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        (Holder(callbacks=[Holder(lock=threading.Lock())]), "part.callbacks[0].lock", "_thread.lock"),
        (LogisticRegression(C={"a": threading.RLock()}), "part.C['a']", "_thread.RLock"),
        ({"a": (1, object())}, "part['a'][1]", "builtins.object"),
        ((i for i in ()), "part", "builtins.generator"),
        (locked, "part.__globals__['LOCK']", "_thread.lock"),
        (functools.partial(len, threading.Lock()), "part.args[0]", "_thread.lock"),
        (np.array([1, threading.Lock()], object), "part[1]", "_thread.lock"),
        (np.frompyfunc(abs, 1, 1), "part", "numpy.ufunc"),
    ],
)
def test_the_culprit_is_named(value: Any, path: str, kind: str) -> None:
    with pytest.raises(UndigestibleError) as caught:
        digest_parts({"part": value})
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path} ({kind}) cannot be digested: ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_an_open_file_has_no_digest(tmp_path: Any) -> None:
    with open(tmp_path / "f", "w") as file, pytest.raises(UndigestibleError, match=r"^\['f'\] \(_io.TextIOWrapper\)"):
        digest({"f": file})


def test_values_may_be_nested_deeply() -> None:
    def nested(content: int) -> list[Any]:
        value: list[Any] = [content]
        for _ in range(10_000):
            value = [value]
        return value

    assert digest(nested(1)) == digest(nested(1)) != digest(nested(2))


def test_each_part_has_its_digest() -> None:
    assert digest_parts({"a": [1], "b": {"c": 2}}) == {"a": digest([1]), "b": digest({"c": 2})}
