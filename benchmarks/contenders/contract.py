"""What a contender returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Parameters
    ----------
    best_score : float or None
        Mean accuracy of the best candidate; None where nothing is scored.
    scores : list of list of float, or None
        Accuracy by candidate and fold, where they must equal those of others.
    helpers_mb : float
        Largest resident memory of the processes that trained for this one, in MB.
    """

    best_score: float | None = None
    scores: list[list[float]] | None = None
    helpers_mb: float = 0.0


Timed = Callable[[], Found]
