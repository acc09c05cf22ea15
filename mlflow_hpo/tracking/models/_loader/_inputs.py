"""`InputSpec`: the data an estimator was trained on, and how to bring what callers send back to its types."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

# A category list longer than this is not worth its place in every model.
_MAX_CATEGORIES = 10_000


@dataclass(frozen=True)
class Column:
    """A column of a training DataFrame.

    Parameters
    ----------
    name : str or int
        As in the DataFrame.
    dtype : str
        pandas' name of the type.
    categories : tuple or None
        Of a categorical column.
    ordered : bool
        Whether the categories are ordered.
    has_none : bool
        Whether missing values are None, which encoders tell from NaN; JSON and pandas do not.
    """

    name: Any
    dtype: str
    categories: tuple[Any, ...] | None = None
    ordered: bool = False
    has_none: bool = False

    @classmethod
    def of(cls, name: Any, values: pd.Series[Any]) -> Column:
        """Describe a column."""
        dtype = values.dtype
        if not isinstance(dtype, pd.CategoricalDtype):
            has_none = dtype == np.dtype(object) and any(value is None for value in values)
            return cls(name, str(dtype), has_none=has_none)
        categories = tuple(dtype.categories.tolist())
        known = len(categories) <= _MAX_CATEGORIES and all(isinstance(c, str | int | float) for c in categories)
        return cls(name, "category", categories if known else None, bool(dtype.ordered))

    def restore(self, values: pd.Series[Any]) -> pd.Series[Any]:
        """Return `values` in the column's type, or as they are where that would change them."""
        if str(values.dtype) == self.dtype and self.dtype != "category":
            return values
        if self.dtype == "category":
            categories = None if self.categories is None else list(self.categories)
            return values.astype(pd.CategoricalDtype(categories, self.ordered))
        if self.dtype[:3] in ("int", "uin", "boo") and not _all_fit(values, self.dtype):
            return values
        if self.has_none:
            return values.astype(object).where(values.notna(), None)
        if self.dtype in ("object", "str"):
            return values if pd.api.types.is_string_dtype(values.dtype) else values.astype(object)
        return values.astype(self.dtype)  # type: ignore[call-overload, no-any-return]


def _all_fit(values: pd.Series[Any], dtype: str) -> bool:
    if values.isna().any():
        return False
    return bool((pd.to_numeric(values) == pd.to_numeric(values).astype(dtype)).all())  # type: ignore[call-overload]


@dataclass(frozen=True)
class InputSpec:
    """The type and shape of the X an estimator was trained on.

    Parameters
    ----------
    kind : {"array", "frame", "any"}
        "any" is passed on as it comes: sparse matrices, lists of dicts and the like.
    dtype : str or None
        Of an array.
    row_shape : tuple of int
        Shape of one row of an array: `()` for 1-d data, `(28, 28, 1)` for images.
    columns : tuple of Column
        Of a DataFrame.
    order : {"C", "F"}
        Memory order of the values. Sums over rows run in it, so another order can change the last bits, and MLflow's
        check of a signature loses it.
    """

    kind: str
    dtype: str | None = None
    row_shape: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    order: Literal["C", "F"] = "C"

    @classmethod
    def of(cls, X: Any) -> InputSpec:
        """Describe training data.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix
            Rows first.
        """
        if isinstance(X, pd.DataFrame):
            if X.columns.has_duplicates or not all(isinstance(name, str | int) for name in X.columns):
                return cls("any")
            return cls("frame", columns=tuple(Column.of(name, X[name]) for name in X.columns), order=_order_of(X))
        if not isinstance(X, np.ndarray | pd.Series | list | tuple) and not hasattr(X, "__array__"):
            return cls("any")
        try:
            array = np.asarray(X)
        except ValueError:  # rows of unequal length
            return cls("any")
        if array.ndim == 0 or array.dtype.kind == "V" or not _holds_scalars(array):
            return cls("any")
        return cls("array", dtype=array.dtype.str, row_shape=array.shape[1:], order=_order_of(array))

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> InputSpec:
        """Read what `to_dict` wrote (and JSON turned into lists)."""
        columns = tuple(
            Column(**{**column, "categories": column["categories"] and tuple(column["categories"])})
            for column in state["columns"]
        )
        return cls(state["kind"], state["dtype"], tuple(state["row_shape"]), columns, state["order"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def restore(self, data: Any) -> Any:
        """Bring what a caller sent to the type and shape of the training data.

        Values of the original type pass unchanged, so predictions are equal to the last bit.

        Parameters
        ----------
        data : array-like, DataFrame, dict or sparse matrix
            As `mlflow.pyfunc` hands it over.

        Returns
        -------
        ndarray, DataFrame or `data` itself

        Raises
        ------
        ValueError
            Columns are missing, or rows have another shape.
        """
        if self.kind == "frame":
            return self._restore_frame(data)
        if self.kind == "array" and not _is_sparse(data):
            return self._restore_array(data)
        return data

    def _restore_frame(self, data: Any) -> pd.DataFrame:
        names = [column.name for column in self.columns]
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        if not set(names) <= set(frame.columns):
            if frame.shape[1] != len(names) or any(isinstance(name, str) for name in frame.columns):
                missing = [name for name in names if name not in set(frame.columns)]
                raise ValueError(f"This model was trained on the columns {names}; missing: {missing}.")
            frame = frame.set_axis(names, axis=1)
        frame = pd.DataFrame({c.name: c.restore(frame[c.name]) for c in self.columns}, index=frame.index, columns=names)
        if self.order == "C" and _is_one_block(frame):
            return pd.DataFrame(np.ascontiguousarray(frame.to_numpy()), frame.index, names, copy=False)
        return frame

    def _restore_array(self, data: Any) -> Any:
        if isinstance(data, dict) and len(data) == 1:  # a tensor that the signature gave a name
            (data,) = data.values()
        array = np.asarray(data, order=self.order if isinstance(data, pd.DataFrame) else None)
        if self.row_shape == () and array.shape[1:] == (1,):
            array = array[:, 0]
        if array.shape[1:] != self.row_shape:
            expected = ", ".join(map(str, ("n", *self.row_shape)))
            raise ValueError(f"This model was trained on X of shape ({expected}); got {array.shape}.")
        return as_dtype(array, np.dtype(self.dtype))


def as_dtype(values: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Cast to floats always, to whole numbers only where no value changes, to anything else never.

    Examples
    --------
    >>> as_dtype(np.array([1.0, 2.0]), np.dtype("int64"))
    array([1, 2])
    >>> as_dtype(np.array([1.5, 2.0]), np.dtype("int64"))
    array([1.5, 2. ])
    """
    if values.dtype == dtype:
        return values
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind in "iub":
        numbers = np.asarray(values.tolist()) if values.dtype == object else values
        if numbers.dtype.kind in "biuf" and np.isfinite(numbers).all():
            whole = numbers.astype(dtype)
            return whole if np.array_equal(whole, numbers) else numbers
        return numbers
    if dtype.kind in "USO" and values.dtype.kind in "USO":
        return values.astype(object) if dtype.kind == "O" else values
    return values


def _is_one_block(frame: pd.DataFrame) -> bool:
    return frame.shape[1] > 0 and len(set(frame.dtypes)) == 1 and isinstance(frame.dtypes.iloc[0], np.dtype)


def _order_of(X: Any) -> Literal["C", "F"]:
    if isinstance(X, pd.DataFrame) and not _is_one_block(X):
        return "F"
    flags = np.asarray(X).flags
    return "F" if flags.f_contiguous and not flags.c_contiguous else "C"


def _holds_scalars(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype != object or all(np.isscalar(value) or value is None for value in array.flat[:1000])


def _is_sparse(data: Any) -> bool:
    return hasattr(data, "tocsr")
