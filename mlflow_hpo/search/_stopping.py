"""Ending a search that proposes its candidates one after the other, when its study is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skopt.callbacks import check_callback


class StudyOver(Exception):  # noqa: N818  (leaves a library's loop, no error that anybody sees)
    """The study is over, and the search asks for more trials."""


class _Stop:
    """A callback of scikit-optimize that ends its loop."""

    def __init__(self, is_over: Callable[[], bool], n_calls: int) -> None:
        self._is_over = is_over
        self._n_left = n_calls

    def __call__(self, result: Any) -> bool:
        self._n_left -= 1
        return self._n_left > 0 and self._is_over()

    def __reduce__(self) -> tuple[Any, ...]:
        # scikit-optimize's checkpoints pickle the callbacks too, and this one holds a study that runs.
        return _never, ()


def with_stop(callback: Any, is_over: Callable[[], bool], n_calls: int) -> list[Callable[[Any], Any]]:
    """Return scikit-optimize's callbacks and one that ends the search when its study is over.

    Parameters
    ----------
    callback : callable, list of callable or None
        The user's.
    is_over : callable
        Asked after each call but the last.
    n_calls : int
        How many calls the search makes.
    """
    return [*check_callback(callback), _Stop(is_over, n_calls)]


def _never() -> Callable[[Any], bool]:
    return _go_on


def _go_on(result: Any) -> bool:
    return False
