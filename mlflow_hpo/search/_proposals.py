"""Candidates that are named only when they begin to train, for several workers at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from skopt.space import Dimension

from mlflow_hpo.search._dimensions import dimension_names, named_point
from mlflow_hpo.search.gp import Proposer

# What a candidate without a score costs while no other has cost anything yet.
_FIRST_PENALTY = 1.0


class Proposals(list[dict[str, Any]]):
    """The candidates of one call of `evaluate_candidates`: empty dictionaries, each filled as its first fold begins.

    scikit-learn takes a list, makes its tasks of it one by one as workers become free, and reads the candidates again
    when all have ended.

    Parameters
    ----------
    proposer : Proposer
        Names them.
    dimensions : sequence of Dimension
        With names.
    n_candidates : int
    """

    def __init__(self, proposer: Proposer, dimensions: Sequence[Dimension], n_candidates: int) -> None:
        super().__init__({} for _ in range(n_candidates))
        self._proposer = proposer
        self.dimensions = dimensions
        self._earlier: deque[list[Any]] = deque()
        self._costs: list[float] = []

    def begin_with(self, points: Iterable[list[Any]]) -> None:
        """Name these first: an earlier start has named them, and what it has found is not to be trained again."""
        self._earlier.extend(points)

    def name(self, number: int) -> dict[str, Any]:
        """Name a candidate, and return it."""
        if self._earlier:
            point = self._earlier.popleft()
            self._proposer.assume(number, point)
        else:
            point = self._proposer.propose(number)
        self[number].update(named_point(dimension_names(self.dimensions), point))
        return self[number]

    def end(self, number: int, score: float | None) -> None:
        """Take the score of a candidate, greater is better; one without costs as much as the worst so far."""
        cost = cost_of(math.nan if score is None else score, self._costs)
        self._costs.append(cost)
        self._proposer.tell(number, cost)

    def result(self) -> Any:
        """Return all that is known, as `skopt.gp_minimize` returns it."""
        return self._proposer.result()

    def close(self) -> None:
        """Think of no more."""
        self._proposer.close()


def cost_of(score: float, told: Sequence[float]) -> float:
    """Return what a score costs: scikit-optimize takes finite costs only, so none costs as much as the worst so far."""
    return -float(score) if math.isfinite(score) else max(told, default=_FIRST_PENALTY)
