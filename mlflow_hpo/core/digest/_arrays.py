"""Arrays and tables: by their buffers, dtypes and shapes, with labels and index where there are such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlflow_hpo.core.digest._described import Described, attributes, mapping, sequence
from mlflow_hpo.core.digest._errors import undigestible

_NO_BUFFER = "OT"  # objects and numpy's strings of variable width: pointers


def describe_array(array: np.ndarray[Any, Any]) -> Described:
    """Describe an array of numpy's own class, or one that is mapped from a file.

    Notes
    -----
    Views and copies are equal. Fortran order is told apart: sums in another order have other last bits.
    """
    dtype = array.dtype
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    shape = f"{array.shape} {'F' if fortran else 'C'}"
    if dtype.names:  # what lies between the fields is not defined
        return mapping(f"records {shape}", {name: array[name] for name in dtype.names})
    if dtype.kind in _NO_BUFFER:
        return Described("array", [str(dtype), array.shape, _objects(array.ravel().tolist())])
    ordered = np.ascontiguousarray(array.T if fortran else array)
    buffer = ordered.reshape(-1).view(np.uint8).data if ordered.nbytes else b""
    return Described("array", [dtype.str, _unit(dtype), shape, buffer])


def describe_scalar(scalar: np.generic) -> Described:
    """Describe a numpy scalar, which differs from Python's number and from an array without dimensions."""
    return Described("numpy scalar", [np.asarray(scalar)])


def describe_ufunc(ufunc: np.ufunc) -> Described:
    """Describe a universal function by its name and types; one that was made of a Python function hides that."""
    if ufunc.__name__.endswith("(vectorized)"):
        raise undigestible(ufunc, "it does not tell the Python function that it was made of")
    return Described("ufunc", [ufunc.__name__, *ufunc.types])


def describe_scipy(value: Any) -> Described:
    """Describe a sparse matrix by its arrays, or a distribution; what they note while they are used does not count.

    Raises
    ------
    LookupError
        It is something else of scipy.
    """
    from scipy import sparse, stats

    if sparse.issparse(value):
        parts = {name: held for name, held in vars(value).items() if "has_" not in name and name != "maxprint"}
    elif isinstance(value, stats.rv_continuous | stats.rv_discrete):
        # A search hands its own generator over; this one is numpy's shared one here, and a copy of it in a worker.
        parts = {name: held for name, held in value.__getstate__().items() if name != "_random_state"}
    else:
        raise LookupError
    return attributes("scipy", {"class": type(value), **parts})


def describe_pandas(value: Any) -> Described:
    """Describe a table, a column, an index or an array of pandas.

    Raises
    ------
    LookupError
        It is something else of pandas.
    """
    import pandas as pd

    match value:
        case pd.DataFrame():
            columns = [value.iloc[:, i].array for i in range(value.shape[1])]
            return Described("DataFrame", [value.columns, value.index, sequence("columns", columns)])
        case pd.MultiIndex():
            levels = [value.get_level_values(i).array for i in range(value.nlevels)]
            return Described("MultiIndex", [list(value.names), *levels])
        case pd.Series() | pd.Index():
            index = value.index if isinstance(value, pd.Series) else None
            return Described("Series" if index is not None else "Index", [value.name, index, value.array])
        case pd.Categorical():
            return Described("Categorical", [value.codes, value.categories, value.ordered])
        case pd.api.extensions.ExtensionArray():
            plain = isinstance(value.dtype, np.dtype) or isinstance(value, pd.arrays.NumpyExtensionArray)
            return Described(
                "pandas array",
                [str(value.dtype), value.to_numpy() if plain else _objects(value.to_numpy(dtype=object).tolist())],
            )
    raise LookupError


def _unit(dtype: np.dtype[Any]) -> str:
    return str(dtype) if dtype.kind in "mM" else ""


def _objects(items: Sequence[Any]) -> Described:
    """Describe many objects; strings alone are joined, because a hash for each takes its time."""
    if all(type(item) is str for item in items):
        lengths = np.fromiter(map(len, items), dtype=np.int64, count=len(items))
        return Described("strings", [lengths, "".join(items)])
    return sequence("objects", items)
