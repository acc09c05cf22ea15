"""Signatures that refuse as little as possible of what the estimator itself would take.

MLflow casts almost nothing: a float32 tensor signature refuses float64 arrays, a `double` column refuses int64, a
`long` column refuses missing values. So inputs are declared in the widest type that MLflow enforces without refusing,
and the loader brings them back to the training types (`_loader._inputs`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType
from sklearn.base import is_regressor

from mlflow_hpo.tracking.models import loader

# MLflow enforces columns one by one; wider arrays are declared as one tensor.
_MAX_COLUMNS = 1000
_ARRAY_TYPES = {
    **dict.fromkeys(("float16", "float32", "float64"), DataType.double),
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"), DataType.long),
    "bool": DataType.boolean,
}
_PARAMS = ParamSchema([ParamSpec("predict_method", DataType.string, "predict")])


def signature_of(estimator: Any, inputs: loader.InputSpec, y: Any) -> ModelSignature:
    """Return the signature of models trained on X (as described by `inputs`) and y.

    Parameters
    ----------
    estimator : estimator
        Tells whether predictions are labels or numbers.
    inputs : InputSpec
        Describes X.
    y : array-like or None
        Targets.

    Returns
    -------
    mlflow.models.ModelSignature
        Without inputs where X is sparse or of a kind MLflow has no type for.
    """
    return ModelSignature(inputs=_input_schema(inputs), outputs=_output_schema(estimator, y), params=_PARAMS)


def _input_schema(inputs: loader.InputSpec) -> Schema | None:
    if inputs.kind == "frame":
        return _frame_schema(inputs)
    if inputs.kind == "array":
        return _array_schema(inputs)
    return None


def _frame_schema(inputs: loader.InputSpec) -> Schema | None:
    if not inputs.columns:
        return None
    named = all(isinstance(column.name, str) for column in inputs.columns)
    return Schema([ColSpec(_column_type(c.dtype), name=c.name if named else None) for c in inputs.columns])


def _column_type(dtype: str) -> Any:
    if dtype in ("str", "string", "object"):
        return DataType.string
    # The one type that takes whole and broken numbers, missing values and categories alike.
    return DataType.datetime if dtype.startswith("datetime64[") and "," not in dtype else AnyType()  # type: ignore[no-untyped-call]


def _array_schema(inputs: loader.InputSpec) -> Schema:
    dtype = np.dtype(inputs.dtype)
    kind = DataType.string if dtype.kind == "U" else _ARRAY_TYPES.get(dtype.name)
    columns = math.prod(inputs.row_shape)
    if kind is not None and len(inputs.row_shape) <= 1 and 0 < columns <= _MAX_COLUMNS:
        return Schema([ColSpec(kind) for _ in range(columns)])
    # Of tensors, MLflow passes only objects unchecked; the name says what is expected.
    shape = ", ".join(map(str, (-1, *inputs.row_shape)))
    return Schema([TensorSpec(np.dtype(object), (-1,), name=f"{dtype.name} ({shape})")])


def _output_schema(estimator: Any, y: Any) -> Schema | None:
    if y is None:
        return None
    values = np.asarray(y)
    dtype = np.dtype("float64") if is_regressor(estimator) and values.dtype.kind in "biuf" else values.dtype
    if dtype.kind in "US":
        dtype = np.dtype(str)
    return Schema([TensorSpec(dtype, (-1, *values.shape[1:]))])
