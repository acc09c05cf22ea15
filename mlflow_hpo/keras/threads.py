"""How many threads TensorFlow's operations use in this process: settled for good when TensorFlow is first used."""

from __future__ import annotations

import contextlib
import os

import tensorflow as tf

_VARIABLE = "TF_NUM_INTRAOP_THREADS"


# The pool that hands out the operations of all graphs: as small as the cores, trials side by side wait for each other.
_HANDING_OUT = 4


def settle_threads(n_threads: int | None, n_trials: int = 1) -> int:
    """Settle how many threads each of TensorFlow's operations uses, if TensorFlow has not been used yet.

    Parameters
    ----------
    n_threads : int or None
        None leaves it as it is.
    n_trials : int
        How many trials train at a time in this process.

    Returns
    -------
    int
        How many they use.
    """
    with contextlib.suppress(RuntimeError):  # it has been used
        if n_threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(n_threads)
        if n_trials > 1:
            tf.config.threading.set_inter_op_parallelism_threads(max(os.cpu_count() or 1, _HANDING_OUT * n_trials))
    return threads_in_use()


def threads_in_use() -> int:
    """Return how many threads each of TensorFlow's operations uses."""
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return int(chosen or os.environ.get(_VARIABLE) or os.cpu_count() or 1)
