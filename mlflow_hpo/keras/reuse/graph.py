"""Compiled graphs, and how their operations run: in turn on the calling thread, or handed out to TensorFlow's pool.

Handing an operation out costs more than most operations of a small network take, and keeps a second core busy that
other trials, or the process that delivers them, could use. Some large networks gain by it. So it is measured. The
operations and the order of their effects are the same both ways, and so are the results.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from mlflow_hpo.keras.reuse.optimized import optimized

_log = logging.getLogger(__name__)

# Seconds of calls that are not measured: a study that begins keeps the other cores busy.
_UNMEASURED = 8.0
# How many calls of each way are measured; the fastest counts.
_MEASURED = 5
# After how many calls more are measured, then after twice as many: others on the machine may have spoilt these.
_KEPT = 40
# Shorter calls have little to win: preparing a graph for the other way takes a tenth of a second.
_WORTH_MEASURING = 0.1
# Handing out takes cores that others could use, so it must be clearly faster.
_CLEARLY_FASTER = 0.95


def compiled(function: Callable[..., Any], *signature: Any) -> Callable[..., Any]:
    """Return the graph of a function, whose operations are handed out.

    Parameters
    ----------
    function : callable
        Made of TensorFlow's operations.
    *signature : structure of tf.TensorSpec
        One for each argument.
    """
    graph: Any = tf.function(function, input_signature=signature, autograph=False)
    # Tracing now lets whatever cannot be traced fall back to Keras before any callback has heard of the fit.
    graph.get_concrete_function()
    return graph  # type: ignore[no-any-return]


class Loop:
    """A graph that is a loop of equal steps, run the way that was faster.

    Parameters
    ----------
    function : callable
        Takes the step and the arguments, loops, and returns what a call is to return.
    step : callable
        Takes a batch; called for its effects.
    batch : structure of tf.TensorSpec
        Of a batch.
    *signature : structure of tf.TensorSpec
        One for each argument.
    """

    def __init__(self, function: Callable[..., Any], step: Callable[[Any], Any], batch: Any, *signature: Any) -> None:
        self._comparison = _compare()
        self._hands_out = next(self._comparison)
        try:
            with _in_turn(True):
                self._graph = compiled(partial(function, optimized(step, batch)), *signature)
            self._can_run_in_turn = True
        except Exception as reason:  # whatever it is, TensorFlow's own way may do, or raises it again
            _log.debug("Steps are not run in turn: %s", reason)
            self._graph = compiled(partial(function, step), *signature)
            self._can_run_in_turn = False

    def __call__(self, *arguments: Any, rows: int, is_alone: bool) -> Any:
        """Return what the function returns.

        Parameters
        ----------
        *arguments : structure of tf.Tensor
        rows : int
            What the duration grows with.
        is_alone : bool
            Whether no other fit runs in this process; several of them have the cores to share, and run in turn.
        """
        begin = time.perf_counter()
        with _in_turn(self._can_run_in_turn and not (is_alone and self._hands_out)):
            result = self._graph(*arguments)
        if is_alone:
            self._hands_out = self._comparison.send(_Call(time.perf_counter() - begin, rows))
        return result


class _Call(NamedTuple):
    seconds: float
    rows: int


def _compare() -> Generator[bool, _Call, None]:
    """Yield whether the next call hands out; is sent how long it took."""
    unmeasured, seconds = _UNMEASURED, 0.0
    while unmeasured > 0:
        seconds = (yield False).seconds
        unmeasured -= seconds
    while seconds <= _WORTH_MEASURING:
        yield False
    yield True  # prepares the graph
    fastest = {False: math.inf, True: math.inf}
    kept = _KEPT
    while True:
        for way in [False, True] * _MEASURED:  # alternating: the machine may be slower for a while
            call = yield way
            fastest[way] = min(fastest[way], call.seconds / call.rows)
        for _ in range(kept):
            yield fastest[True] < _CLEARLY_FASTER * fastest[False]
        kept *= 2


def _in_turn(is_wanted: bool) -> Any:
    return tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR" if is_wanted else "")
