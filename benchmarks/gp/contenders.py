"""Who minimises: each takes what is known already, makes some calls, and leaves all else at its library's default."""

from __future__ import annotations

import heapq
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlflow_hpo import gp_minimize
from mlflow_hpo.search.gp import Proposer, with_fast_gp

Bounds = Sequence[tuple[float, float]]
Known = tuple[list[list[float]], list[float]]
Minimise = Callable[[Callable[[Sequence[float]], float], Bounds, Known, int, int], None]


def _by_scikit_optimize(**settings: Any) -> Minimise:
    def minimise(objective: Any, bounds: Bounds, known: Known, n_calls: int, seed: int) -> None:
        points, values = known
        history = {"x0": points, "y0": values, "n_initial_points": 0} if points else {}
        gp_minimize(objective, list(bounds), n_calls=n_calls, random_state=seed, tracking=False, **history, **settings)

    return minimise


def _by_workers(n_workers: int) -> Minimise:
    """Keep several calls under way, each for a time of its own, as `GPSearchCV` does with `n_jobs`."""

    def minimise(objective: Any, bounds: Bounds, known: Known, n_calls: int, seed: int) -> None:
        points, values = known
        options = {"n_initial_points": 0 if points else 10, "random_state": seed, "x0": points, "y0": values}
        proposer = Proposer(bounds, with_fast_gp(bounds, {**options, "base_estimator": "fast-gp"}))
        durations = np.random.default_rng(seed)
        running: list[tuple[float, int, list[float]]] = []
        now = 0.0
        for number in range(n_calls + n_workers):
            if len(running) == min(n_workers, n_calls + n_workers - number):
                now, ended, point = heapq.heappop(running)
                proposer.tell(ended, objective(point))
            if number < n_calls:
                heapq.heappush(running, (now + durations.uniform(0.5, 1.5), number, proposer.propose(number)))
        proposer.close()

    return minimise


def _by_optuna(objective: Any, bounds: Bounds, known: Known, n_calls: int, seed: int) -> None:
    import optuna
    import torch  # noqa: F401  (or the sampler would import it within the first call that is measured)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {f"x{i}": optuna.distributions.FloatDistribution(low, high) for i, (low, high) in enumerate(bounds)}
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=seed))
    for point, value in zip(*known, strict=True):
        params = dict(zip(space, point, strict=True))
        study.add_trial(optuna.create_trial(params=params, distributions=space, value=value))
    study.optimize(
        lambda trial: objective([trial.suggest_float(name, low.low, low.high) for name, low in space.items()]), n_calls
    )


CONTENDERS: dict[str, Minimise] = {
    "scikit-optimize": _by_scikit_optimize(),
    "fast-gp": _by_scikit_optimize(base_estimator="fast-gp"),
    "fast-gp, 2 workers": _by_workers(2),
    "fast-gp, 4 workers": _by_workers(4),
}
if importlib.util.find_spec("optuna") and importlib.util.find_spec("torch"):
    CONTENDERS["Optuna GPSampler"] = _by_optuna
