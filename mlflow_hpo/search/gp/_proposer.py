"""Proposals for several workers: what is still running counts as if it had turned out as well as the best so far."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from skopt import Optimizer
from skopt.utils import cook_estimator, create_result, normalize_dimensions

# What `gp_minimize` hands on to scikit-optimize's `Optimizer` under the same name.
_SAME = ("acq_func", "acq_optimizer", "initial_point_generator", "space_constraint")
_LARGEST_SEED = np.iinfo(np.int32).max

_Basis = tuple[int, tuple[int, ...]]


class Proposer:
    """Proposes points asynchronously: ask for one whenever a worker is free, tell its cost when it is known.

    The points at random that come first are those of `skopt.gp_minimize` with the same seed. After them, the surrogate
    is fitted to all that is known, with the lowest cost so far in the place of each that is not (Ginsbourger,
    Le Riche and Carraro, 2010: constant liar), so that no point is proposed beside one that is running.

    Parameters
    ----------
    dimensions : sequence of dimension
    options : mapping of str to object
        Arguments of `skopt.gp_minimize`: `n_initial_points`, `random_state`, and what else was set.
    """

    def __init__(self, dimensions: Sequence[Any], options: Mapping[str, Any]) -> None:
        self._options = options
        self._space = normalize_dimensions(dimensions)
        self._rng = check_random_state(options.get("random_state"))
        self._surrogate = options.get("base_estimator") or cook_estimator(
            "GP",
            space=self._space,
            random_state=self._rng.randint(0, _LARGEST_SEED),
            noise=options.get("noise", "gaussian"),
        )
        self._n_random = int(options["n_initial_points"])
        self._random = self._optimizer(self._n_random, self._rng)
        self._points: list[Any] = list(options.get("x0") or [])
        self._costs: list[float] = list(options.get("y0") or [])
        self._running: dict[int, list[Any]] = {}
        self._hedge: dict[str, Any] = {}
        self._models: list[Any] = []
        self._ready: tuple[_Basis, Future[list[Any]]] | None = None
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow-hpo-proposer")
        self._lock = threading.RLock()

    def propose(self, number: int) -> list[Any]:
        """Return the point of a trial that begins.

        Parameters
        ----------
        number : int
            The trial.
        """
        with self._lock:
            point = self._next()
            self._running[number] = point
            return point

    def assume(self, number: int, point: list[Any]) -> None:
        """Take note of a trial whose point was proposed before, by an earlier start of the same study."""
        with self._lock:
            if self._n_random > 0:  # it was this one, if it was one at random
                self._n_random -= 1
                self._at_random()
            self._running[number] = point

    def tell(self, number: int, cost: float) -> None:
        """Take the cost of a trial that has ended, and begin to think of the next.

        Parameters
        ----------
        number : int
            The trial.
        cost : float
            Finite.
        """
        with self._lock:
            self._points.append(self._running.pop(number))
            self._costs.append(cost)
            if self._n_random == 0 and not self._is_closed:
                # The surrogate is fitted while the workers train.
                self._ready = self._basis, self._thread.submit(self._fitted, *self._known())

    def close(self) -> None:
        """Think of no more."""
        with self._lock:
            self._is_closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)

    def result(self) -> Any:
        """Return what is known, as `skopt.gp_minimize` returns it."""
        return create_result(self._points, self._costs, self._space, self._rng, models=self._models)

    @property
    def _basis(self) -> _Basis:
        return len(self._costs), tuple(self._running)

    def _known(self) -> tuple[list[Any], list[float], int]:
        lie = min(self._costs)
        seed = int(self._rng.randint(0, _LARGEST_SEED))
        return [*self._points, *self._running.values()], [*self._costs, *[lie] * len(self._running)], seed

    def _next(self) -> list[Any]:
        if self._n_random > 0:
            self._n_random -= 1
            return self._at_random()
        if not self._costs:  # more workers than points at random, and none has ended
            return list(self._space.rvs(random_state=self._rng)[0])
        if self._ready is not None and self._ready[0] == self._basis:
            return self._ready[1].result()
        return self._thread.submit(self._fitted, *self._known()).result()

    def _at_random(self) -> list[Any]:
        point: list[Any] = self._random.ask()
        self._random.tell(point, 0.0, fit=False)
        return point

    def _fitted(self, points: list[Any], costs: list[float], seed: int) -> list[Any]:
        """Return the point that a surrogate proposes that has been fitted to points and costs."""
        optimizer = self._optimizer(0, seed)
        vars(optimizer).update(self._hedge)
        optimizer.tell(points, costs)
        # gp_hedge learns which of its acquisition functions proposes well.
        self._hedge = {
            name: value for name in ("gains_", "next_xs_") if (value := getattr(optimizer, name, None)) is not None
        }
        self._models = optimizer.models
        point: list[Any] = optimizer.ask()
        return point

    def _optimizer(self, n_initial_points: int, random_state: Any) -> Optimizer:
        options = self._options
        given = {name: options[name] for name in _SAME if name in options}
        return Optimizer(
            self._space,
            self._surrogate,
            n_initial_points=n_initial_points,
            random_state=random_state,
            acq_optimizer_kwargs={
                "n_points": options.get("n_points", 10000),
                "n_restarts_optimizer": options.get("n_restarts_optimizer", 5),
                "n_jobs": options.get("n_jobs", 1),
            },
            acq_func_kwargs={"xi": options.get("xi", 0.01), "kappa": options.get("kappa", 1.96)},
            **given,
        )
