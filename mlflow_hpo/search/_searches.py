"""scikit-learn's and scikit-optimize's searches, tracked: their whole signatures, and the keyword `tracking`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn import model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  (makes the halving searches importable)
from skopt import searchcv

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.search._gp_search import BaseGPSearchCV
from mlflow_hpo.search._stopping import with_stop
from mlflow_hpo.search._tracked import TrackedSearch, study_is_over
from mlflow_hpo.search._warm_start import KnownPoints, known_points


def _with_tracking(library_init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor with the library's signature, whatever its version, and `tracking` at its end.

    scikit-learn reads an estimator's parameters off the constructor's signature.
    """
    signature = inspect.signature(library_init)
    tracking = inspect.Parameter("tracking", inspect.Parameter.KEYWORD_ONLY, default=None)

    @wraps(library_init)
    def __init__(self: Any, *args: Any, tracking: Tracking | bool | None = None, **kwargs: Any) -> None:  # noqa: N807
        library_init(self, *args, **kwargs)
        self.tracking = tracking

    __init__.__signature__ = signature.replace(parameters=[*signature.parameters.values(), tracking])  # type: ignore[attr-defined]
    return __init__


class GridSearchCV(TrackedSearch, model_selection.GridSearchCV):
    """`sklearn.model_selection.GridSearchCV`, every candidate a live nested run in MLflow.

    All other parameters, attributes and methods are scikit-learn's.

    Parameters
    ----------
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Attributes
    ----------
    study_ : StudyResult
        Where the study is in MLflow, and its trials.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlflow_hpo import GridSearchCV, Tracking
    >>> GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, tracking=Tracking(study="iris")).tracking.study
    'iris'
    """

    __init__ = _with_tracking(model_selection.GridSearchCV.__init__)
    _lists_candidates = True


class RandomizedSearchCV(TrackedSearch, model_selection.RandomizedSearchCV):
    """`sklearn.model_selection.RandomizedSearchCV`, every candidate a live nested run in MLflow.

    All other parameters, attributes and methods are scikit-learn's.

    Parameters
    ----------
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Attributes
    ----------
    study_ : StudyResult
        Where the study is in MLflow, and its trials.
    """

    __init__ = _with_tracking(model_selection.RandomizedSearchCV.__init__)
    _lists_candidates = True


_best_of_halving = model_selection.HalvingGridSearchCV._select_best_index


class _Halving(TrackedSearch):
    """What both of scikit-learn's halving searches need to be stopped early."""

    _lists_candidates = True

    @staticmethod
    def _select_best_index(refit: Any, refit_metric: Any, results: Any) -> Any:
        """Return the best of the last rung that has run: scikit-learn's choice where all have."""
        if not study_is_over():
            return _best_of_halving(refit, refit_metric, results)
        has_score = ~np.isnan(results["mean_test_score"])
        is_last = results["iter"] == max(results["iter"][has_score], default=0)
        return int(np.nanargmax(np.where(is_last, results["mean_test_score"], np.nan)))


class HalvingGridSearchCV(_Halving, model_selection.HalvingGridSearchCV):
    """`sklearn.model_selection.HalvingGridSearchCV`, every candidate of every rung a live nested run in MLflow.

    All other parameters, attributes and methods are scikit-learn's.

    Parameters
    ----------
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Attributes
    ----------
    study_ : StudyResult
        Where the study is in MLflow, and its trials.
    """

    __init__ = _with_tracking(model_selection.HalvingGridSearchCV.__init__)


class HalvingRandomSearchCV(_Halving, model_selection.HalvingRandomSearchCV):
    """`sklearn.model_selection.HalvingRandomSearchCV`, every candidate of every rung a live nested run in MLflow.

    All other parameters, attributes and methods are scikit-learn's.

    Parameters
    ----------
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Attributes
    ----------
    study_ : StudyResult
        Where the study is in MLflow, and its trials.
    """

    __init__ = _with_tracking(model_selection.HalvingRandomSearchCV.__init__)


class BayesSearchCV(TrackedSearch, searchcv.BayesSearchCV):
    """`skopt.BayesSearchCV`, every candidate a live nested run in MLflow.

    All other parameters, attributes and methods are scikit-optimize's.

    Parameters
    ----------
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Attributes
    ----------
    study_ : StudyResult
        Where the study is in MLflow, and its trials.
    """

    __init__ = _with_tracking(searchcv.BayesSearchCV.__init__)

    def _make_optimizer(self, params_space: Any) -> Any:
        search: Any = super()
        optimizer = search._make_optimizer(params_space)
        points, costs = _known_points(self, optimizer.space.dimensions)
        if points:
            optimizer.tell(points, costs)
        return optimizer

    def _leave_early(self) -> None:
        self._optim_results = [optimizer.get_result() for optimizer in self.optimizers_ if optimizer.Xi]


class GPSearchCV(TrackedSearch, BaseGPSearchCV):
    """Bayesian optimisation of an estimator's cross-validated score by `skopt.gp_minimize`, tracked in MLflow.

    A scikit-learn search like `GridSearchCV`, whose candidates `gp_minimize` proposes one after the other; it maximises
    what scikit-learn maximises. With several workers (`n_jobs`), one is proposed whenever a worker is free: those that
    are still running count as if they had turned out as well as the best so far, and what is proposed depends on which
    of them ends first. A candidate whose folds all fail costs as much as the worst before it, and the search
    goes on (with `tracking=False` it ends the search, as a candidate evaluated alone does in scikit-learn).

    Parameters
    ----------
    estimator : estimator
        What is tuned.
    dimensions : mapping of str to dimension
        Search space by parameter: `Real`, `Integer`, `Categorical` of `mlflow_hpo.core.space` or of `skopt.space`.
    n_calls : int
        Number of candidates.
    n_initial_points : int
        How many of them are drawn at random before the Gaussian process decides; at most `n_calls`.
    random_state : int, RandomState or None
        Seed of the proposals.
    gp_options : mapping or None
        Further arguments of `skopt.gp_minimize`, such as `acq_func`, `xi`, `noise`.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in scikit-learn's searches. Of several scorings, the one that `refit` names is optimised.
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Attributes
    ----------
    optimize_result_ : OptimizeResult
        What `gp_minimize` returned.
    study_ : StudyResult
        Where the study is in MLflow, and its trials; besides the attributes of scikit-learn's searches.
    """

    __init__ = _with_tracking(BaseGPSearchCV.__init__)

    # Each call of scikit-learn's evaluates one candidate here, and it ends a search in which all fits of a call fail.
    survives_failed_candidates = True

    @property
    def _has_workers(self) -> bool:
        return self._fit_in_progress is not None and effective_n_jobs(self.n_jobs) > 1

    def _known_points(self, dimensions: Any) -> KnownPoints:
        return _known_points(self, dimensions)

    def _stopping(self, options: Mapping[str, Any]) -> dict[str, Any]:
        fit = self._fit_in_progress
        if fit is None:
            return {}
        return {"callback": with_stop(options.get("callback"), fit.is_over, options["n_calls"])}


def _known_points(search: TrackedSearch, dimensions: Any) -> KnownPoints:
    """Return what the study that a search starts from has found in a space, as costs."""
    fit = search._fit_in_progress
    if fit is None:
        return [], []
    refit = getattr(search, "refit", True)
    metric = f"mean_test_{refit if isinstance(refit, str) else 'score'}"
    return known_points(fit.tracking.warm_start_from, dimensions, metric, sign=-1.0)
