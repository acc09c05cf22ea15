"""Proposals for several workers at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skopt
from skopt.space import Categorical, Integer, Real

from mlflow_hpo.search.gp import Proposer, with_fast_gp

SPACE = [Real(-5.0, 10.0), Real(1e-3, 1.0, prior="log-uniform"), Integer(0, 9), Categorical(["a", "b"])]
OPTIONS: dict[str, Any] = {"n_initial_points": 5, "random_state": 3}


def cost(point: list[Any]) -> float:
    a, b, c, d = point
    return float((a - 1) ** 2 + np.log10(b) ** 2 + c + (d == "b"))


@pytest.fixture
def proposer() -> Any:
    made = Proposer(SPACE, with_fast_gp(SPACE, {**OPTIONS, "base_estimator": "fast-gp"}))
    yield made
    made.close()


def test_the_points_at_random_are_those_of_gp_minimize() -> None:
    proposer = Proposer(SPACE, OPTIONS)
    points = [proposer.propose(number) for number in range(5)]
    assert points == skopt.gp_minimize(cost, SPACE, n_calls=5, **OPTIONS).x_iters
    proposer.close()


def test_nothing_is_proposed_that_is_running(proposer: Proposer) -> None:
    for number in range(5):
        proposer.tell(number, cost(proposer.propose(number)))
    running = [proposer.propose(number) for number in range(5, 9)]
    assert len({tuple(point) for point in running}) == 4
    distances = [proposer._space.distance(one, other) for one in running for other in running if one is not other]
    assert min(distances) > 1e-3


def test_it_learns_while_others_run(proposer: Proposer) -> None:
    running = {number: proposer.propose(number) for number in range(3)}
    for number in range(3, 24):
        ended = min(running) if number % 3 else max(running)  # they end in another order
        proposer.tell(ended, cost(running.pop(ended)))
        running[number] = proposer.propose(number)
    result = proposer.result()
    assert len(result.x_iters) == 21
    random = [cost(point) for point in result.x_iters[:5]]
    assert result.fun < min(random)
    assert result.fun < 2.0
    assert result.models


def test_more_workers_than_points_at_random_are_not_kept_waiting(proposer: Proposer) -> None:
    points = [proposer.propose(number) for number in range(8)]
    assert len({tuple(point) for point in points}) == 8


def test_known_points_come_first() -> None:
    known = {"x0": [[1.0, 1.0, 0, "a"], [2.0, 0.1, 3, "b"]], "y0": [0.0, 5.0], "n_initial_points": 0}
    proposer = Proposer(SPACE, {**OPTIONS, **known})
    point = proposer.propose(0)
    assert cost(point) < 100
    proposer.tell(0, cost(point))
    assert len(proposer.result().x_iters) == 3
    proposer.close()
