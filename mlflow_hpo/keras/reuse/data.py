"""Data as Keras's own adapter hands it to a training step: checked, weighted and cast the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras.src.trainers.data_adapters import array_data_adapter, array_slicing

from mlflow_hpo.keras.reuse.errors import NotReusable


@dataclass(frozen=True)
class Data:
    """Arrays as tensors, in the structure that a training step takes.

    Parameters
    ----------
    tensors : structure of tf.Tensor
        `x`, `(x, y)` or `(x, y, sample_weight)`.
    rows : int
        Their common first dimension.
    batch_size : int
        Rows a step takes.
    """

    tensors: Any
    rows: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Number of steps of one pass."""
        return -(-self.rows // self.batch_size)

    @property
    def batch_rows(self) -> int | None:
        """Rows of each batch, None where the last has fewer: what Keras knows of it enters how TensorFlow rounds."""
        return None if self.rows % self.batch_size else self.batch_size

    @property
    def batch_signature(self) -> Any:
        """Tensor specs of a batch."""
        return keras.tree.map_structure(lambda t: tf.TensorSpec((self.batch_rows, *t.shape[1:]), t.dtype), self.tensors)

    @property
    def spec(self) -> str:
        """What a twin depends on: structure, shapes beyond the rows, and dtypes."""
        return str(keras.tree.map_structure(lambda t: f"{t.shape[1:]}{t.dtype.name}", self.tensors))

    @property
    def signature(self) -> Any:
        """Tensor specs for any number of rows."""
        return keras.tree.map_structure(lambda t: tf.TensorSpec((None, *t.shape[1:]), t.dtype), self.tensors)

    def has_named_inputs(self) -> bool:
        """Return whether inputs are told apart by name."""
        x = self.tensors[0] if isinstance(self.tensors, tuple) else self.tensors
        return isinstance(x, dict)


def adapt(
    x: Any, y: Any = None, sample_weight: Any = None, *, batch_size: int | None = None, class_weight: Any = None
) -> Data:
    """Return data as `keras.Model.fit` would use it.

    Raises
    ------
    NotReusable
        Something is no dense array.
    ValueError
        As Keras raises it.
    """
    if not array_data_adapter.can_convert_arrays((x, y, sample_weight)):
        raise NotReusable("its data are no arrays")
    adapter = array_data_adapter.ArrayDataAdapter(
        x, y, sample_weight=sample_weight, batch_size=batch_size, class_weight=class_weight
    )
    arrays = array_slicing.convert_to_sliceable(adapter._inputs, target_backend="tensorflow")
    tensors = keras.tree.map_structure(_tensor, keras.tree.lists_to_tuples(arrays))
    return Data(tensors, adapter._num_samples, adapter.batch_size)


def _tensor(array: Any) -> Any:
    if type(array).__name__ in ("SparseTensor", "RaggedTensor", "TensorflowSparseWrapper"):
        raise NotReusable("its data are sparse or ragged")
    tensor = tf.convert_to_tensor(array)
    if tensor.dtype == tf.string or not tensor.shape.rank:
        raise NotReusable("its data are strings or scalars")
    return tensor
