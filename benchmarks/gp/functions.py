"""Two standard functions, as their distance from the minimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skopt.benchmarks import branin, hart6


@dataclass(frozen=True)
class Function:
    """A function to minimise.

    Parameters
    ----------
    regret : callable
        Takes a point, returns the function there less its minimum.
    bounds : sequence of pair of float
    """

    regret: Callable[[Sequence[float]], float]
    bounds: tuple[tuple[float, float], ...]


FUNCTIONS = {
    "Branin": Function(lambda x: float(branin(x)) - 5.0 / (4.0 * math.pi), ((-5.0, 10.0), (0.0, 15.0))),
    "Hartmann-6": Function(lambda x: float(hart6(x)) + 3.322368011415515, ((0.0, 1.0),) * 6),
}
