"""The order in which Keras would go through the rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from mlflow_hpo.keras._seeding import global_seed, global_seed_set

_REMEMBERED = 32
_orders: OrderedDict[tuple[int, int], tf.Tensor] = OrderedDict()


def epoch_orders(rows: int, shuffle: bool) -> Callable[[], tf.Tensor]:
    """Return a function that gives each epoch its order of rows, as a tensor of shape (rows,).

    With a global seed it is the order of `keras.Model.fit`, which is the same in each epoch; without, a random one.

    Parameters
    ----------
    rows : int
        Number of rows.
    shuffle : bool
        Whether rows are shuffled at all.
    """
    if not shuffle:
        in_order = tf.range(rows, dtype=tf.int64)
        return lambda: in_order
    seed = global_seed()
    if seed is None:
        # Keras's order is random then, so any will do; NumPy's global generator is the user's and stays untouched.
        generator = np.random.default_rng()
        return lambda: tf.constant(generator.permutation(rows))
    order = _seeded_order(seed, rows)
    return lambda: order


def _seeded_order(seed: int, rows: int) -> tf.Tensor:
    with global_seed_set(seed):
        if (seed, rows) not in _orders:
            # Keras's own pipeline, with the row numbers as its data and one batch for all of them.
            numbers = np.arange(rows, dtype="int64")
            dataset = ArrayDataAdapter(numbers, batch_size=rows, shuffle=True).get_tf_dataset()
            _orders[seed, rows] = next(iter(dataset))
        _orders.move_to_end((seed, rows))
        while len(_orders) > _REMEMBERED:
            _orders.popitem(last=False)
        return _orders[seed, rows]
