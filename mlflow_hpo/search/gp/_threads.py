"""Linear algebra of a few hundred rows, on one thread."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS and LAPACK use one thread.

    A surrogate's matrices are small and its products many: several threads spend more time waiting for each other than
    they save, on a busy machine many times more. With one, results do not depend on the number of cores either.
    """
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes longer than a prediction.
    return ThreadpoolController()
