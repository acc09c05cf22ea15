"""Seeds for a build or a fit, put back afterwards: scikeras's `tensorflow_random_state` without its two flaws.

scikeras asks whether op determinism is on only after it has set `TF_DETERMINISTIC_OPS`, which answers yes, so it never
turns it off again and the process's unseeded fits fail from then on. And it seeds through `tf.random.set_seed`, which
throws away every compiled kernel and function instance: 100 ms for each graph that is used again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context as tf_context
from tensorflow.python.framework import config as tf_config

# Python's, NumPy's and TensorFlow's generators belong to the whole process: who builds a network has them alone.
_alone = threading.RLock()

_MOST_KERNELS = 1000
_kernels: list[int] = []


class _Own(threading.local):
    """What a thread has set itself; others may have set theirs since."""

    seed: int | None = None
    turn = 0


_own = _Own()


def global_seed() -> int | None:
    """Return TensorFlow's global seed, as this thread has set it; None if there is none."""
    seed = tf_context.global_seed() if _own.seed is None else _own.seed
    return None if seed is None else int(seed)


@contextmanager
def global_seed_set(seed: int) -> Iterator[None]:
    """Have TensorFlow's global seed, and nobody else beside this thread, while the context is open."""
    with _alone:
        eager = tf_context.context()
        before, eager._seed = eager._seed, seed
        try:
            yield
        finally:
            eager._seed = before


class Seeding:
    """Tells what happened to the generators while seeds were set."""

    def __init__(self) -> None:
        self._before = _operation_seeds()

    def drew_operation_seeds(self) -> bool:
        """Return whether a stateful TensorFlow random op ran eagerly; those remember, unless all caches are cleared."""
        return bool(_operation_seeds() != self._before)


class _Seeds:
    """The process's generators as they were before the first of the seeds that are set now."""

    def __init__(self) -> None:
        self.turn = 0
        self._depth = 0
        self._original: tuple[Any, ...] = ()

    def enter(self, seed: int, clear_caches: bool) -> None:
        if self._depth == 0:
            seeds = (tf_context.global_seed(), getattr(tf_context.context(), "_rng", None))
            self._original = (random.getstate(), np.random.get_state(), seeds, tf_config.is_op_determinism_enabled())
        self._depth += 1
        self.turn += 1
        random.seed(seed)
        np.random.seed(seed)
        _seed_tensorflow(seed, random.Random(seed), clear_caches)
        tf_config.enable_op_determinism()

    def leave(self, clear_caches: bool) -> None:
        self._depth -= 1
        if self._depth:
            return
        python, numpy, (seed, generator), deterministic = self._original
        random.setstate(python)
        np.random.set_state(numpy)
        _seed_tensorflow(seed, generator, clear_caches)
        if not deterministic:
            tf_config.disable_op_determinism()


_seeds = _Seeds()


@contextmanager
def seeded(seed: int | None, *, clear_caches: bool) -> Iterator[Seeding]:
    """Set all generators and op determinism while the context is open; None changes nothing.

    Parameters
    ----------
    seed : int or None
        Seed of Python's, NumPy's and TensorFlow's global generators.
    clear_caches : bool
        Whether to seed as `tf.random.set_seed` does. Without, stateful TensorFlow ops that run eagerly may go on where
        they stopped; Keras itself uses none.
    """
    if seed is None:
        yield Seeding()
        return
    with _alone:
        _seeds.enter(seed, clear_caches)
        outer = (_own.seed, _own.turn)
        _own.seed, _own.turn = seed, _seeds.turn
    try:
        yield Seeding()
    finally:
        _own.seed, _own.turn = outer
        with _alone:
            _seeds.leave(clear_caches)


@contextmanager
def drawing_alone() -> Iterator[None]:
    """Draw with no other thread beside this one, if this one has set seeds; anew, if another has set its own since."""
    if _own.seed is None:
        yield
        return
    with _alone, nullcontext() if _own.turn == _seeds.turn else seeded(_own.seed, clear_caches=False):
        yield


def forget_kernels_of(variables: int) -> None:
    """Note that this many variables were made, and clear TensorFlow's kernel cache when it has grown by enough of them.

    It keeps a kernel of some 35 kB for every variable name there ever was, and each new network brings new names.
    Clearing costs each compiled graph some 100 ms once, so it is done seldom.
    """
    with _alone:
        _kernels.append(variables)
        if sum(_kernels) < _MOST_KERNELS:
            return
        _kernels.clear()
    tf_context.context().clear_kernel_cache()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep other threads from seeding, or building a network, while the context is open."""
    with _alone:
        yield


@contextmanager
def without_drawing() -> Iterator[None]:
    """Leave Python's generator as it was: Keras draws its seeds from there."""
    with _alone:
        state = random.getstate()
        try:
            yield
        finally:
            random.setstate(state)


def _seed_tensorflow(seed: int | None, generator: Any, clear_caches: bool) -> None:
    if clear_caches:
        tf.random.set_seed(seed)
        return
    eager = tf_context.context()
    eager._seed = seed
    eager._rng = generator


def _operation_seeds() -> Any:
    generator = getattr(tf_context.context(), "_rng", None)
    return None if generator is None else generator.getstate()
