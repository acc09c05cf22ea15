"""How many threads TensorFlow's operations use in this process: settled for good when TensorFlow is first used."""

from __future__ import annotations

import contextlib
import os

import tensorflow as tf

_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def settle_threads(n_threads: int | None) -> int:
    """Settle how many threads each of TensorFlow's operations uses, if TensorFlow has not been used yet.

    Parameters
    ----------
    n_threads : int or None
        None leaves it as it is.

    Returns
    -------
    int
        How many they use.
    """
    if n_threads is not None:
        with contextlib.suppress(RuntimeError):  # it has been used
            tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    return threads_in_use()


def threads_in_use() -> int:
    """Return how many threads each of TensorFlow's operations uses."""
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return int(chosen or os.environ.get(_VARIABLE) or os.cpu_count() or 1)
