"""`gp_minimize` over the cross-validated score of an estimator, in the form of a scikit-learn search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import skopt
from sklearn.model_selection._search import BaseSearchCV
from skopt.space import Dimension

from mlflow_hpo.search._dimensions import as_dimensions, named_point
from mlflow_hpo.search._proposals import Proposals, cost_of
from mlflow_hpo.search._warm_start import KnownPoints, with_known_points
from mlflow_hpo.search.gp import Proposer, with_fast_gp


class BaseGPSearchCV(BaseSearchCV):
    """A scikit-learn search whose candidates `skopt.gp_minimize` proposes; `GPSearchCV` is the tracked one.

    It maximises what scikit-learn maximises. See `GPSearchCV` for the parameters.
    """

    def __init__(
        self,
        estimator: Any,
        dimensions: Mapping[str, Any],
        *,
        n_calls: int = 20,
        n_initial_points: int = 10,
        random_state: Any = None,
        gp_options: Mapping[str, Any] | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.dimensions = dimensions
        self.n_calls = n_calls
        self.n_initial_points = n_initial_points
        self.random_state = random_state
        self.gp_options = gp_options

    def _run_search(self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None) -> None:
        told: list[float] = []

        def cost(point: list[Any]) -> float:
            results = evaluate_candidates([named_point(list(self.dimensions), point)])
            told.append(cost_of(results[_optimised(results, self.refit)][-1], told))
            return told[-1]

        dimensions = as_dimensions(self.dimensions)
        options = dict(
            n_calls=self.n_calls,
            n_initial_points=min(self.n_initial_points, self.n_calls),
            random_state=self.random_state,
            **(self.gp_options or {}),
        )
        steered = with_fast_gp(dimensions, with_known_points(options, self._known_points(dimensions)))
        if self._has_workers:
            self._propose(evaluate_candidates, dimensions, steered)
            return
        self.optimize_result_ = skopt.gp_minimize(cost, dimensions, **{**steered, **self._stopping(options)})
        # Our functions hold the search's live parts, and skopt keeps them in what it returns.
        self.optimize_result_.specs["args"].update(func=None, callback=options.get("callback"))

    def _propose(self, evaluate_candidates: Callable[..., Any], dimensions: Any, options: Mapping[str, Any]) -> None:
        """Name a candidate whenever a worker is free, and learn from those that have ended by then."""
        proposer = Proposer(dimensions, options)
        with closing(Proposals(proposer, dimensions, self.n_calls)) as proposals:
            evaluate_candidates(proposals)
            self.optimize_result_ = proposals.result()

    @property
    def _has_workers(self) -> bool:
        """Whether several candidates can train at a time."""
        return False

    def _known_points(self, dimensions: Sequence[Dimension]) -> KnownPoints:
        """Return what is known before the search begins."""
        return [], []

    def _stopping(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what ends the search early."""
        return {}


def _optimised(results: Mapping[str, Any], refit: Any) -> str:
    named = f"mean_test_{refit}"
    return named if named in results else next(name for name in results if name.startswith("mean_test_"))
