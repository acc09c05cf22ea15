"""`gp_minimize`: scikit-optimize's, every call of the objective a live nested run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from inspect import Parameter, signature
from typing import Any

import skopt
from skopt.utils import normalize_dimensions

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.core.errors import UnsupportedOptionError
from mlflow_hpo.core.events import FittedModel
from mlflow_hpo.core.reporting import Reporter, reporting
from mlflow_hpo.keras.watch import watch_fits
from mlflow_hpo.search._describe import describe_value
from mlflow_hpo.search._dimensions import dimension_names, named_point
from mlflow_hpo.search._stopping import with_stop
from mlflow_hpo.search._tracked import tracking_of
from mlflow_hpo.search._warm_start import known_points, with_known_points
from mlflow_hpo.search.gp import with_fast_gp
from mlflow_hpo.study.objective import BareNetwork, fitted_network
from mlflow_hpo.study.places import settled_threads
from mlflow_hpo.study.session import StudySession, open_study
from mlflow_hpo.tracking.autolog import autologging_suspended
from mlflow_hpo.tracking.delivery import StoreAwayError
from mlflow_hpo.tracking.opening import StudyPlan
from mlflow_hpo.tracking.outcome import StudyOutcome
from mlflow_hpo.tracking.packing import template_of
from mlflow_hpo.tracking.runs import active_run

OBJECTIVE = "objective"


def gp_minimize(
    func: Callable[[list[Any]], Any],
    dimensions: Sequence[Any],
    *args: Any,
    tracking: Tracking | bool | None = None,
    **kwargs: Any,
) -> Any:
    """Minimise a function by Bayesian optimisation with Gaussian processes, tracked in MLflow.

    `skopt.gp_minimize` with its whole signature and its results: the same seed gives the same points. Each call of
    `func` is a nested run, active while `func` runs: what it logs with `mlflow.log_metric` and the like lands there,
    each Keras `fit` inside it logs its epochs, and the last model fitted is the trial's model.

    Parameters
    ----------
    func : callable
        Takes a point of the space, a list of values, and returns what is minimised.
    dimensions : sequence of dimension
        scikit-optimize's dimensions. Their names name the runs' parameters.
    *args, **kwargs
        As for `skopt.gp_minimize`. `base_estimator="fast-gp"` takes its default surrogate at a fraction of the cost,
        for long studies: see `mlflow_hpo.search.gp.fast_gp`.
    tracking : Tracking, None or False
        How the search is tracked: None takes the defaults of `Tracking`, False tracks nothing.

    Returns
    -------
    OptimizeResult
        scikit-optimize's, and with it `study`, a `StudyResult`.

    Examples
    --------
    >>> from mlflow_hpo import gp_minimize
    >>> result = gp_minimize(lambda x: x[0] ** 2, [(-1.0, 1.0)], n_calls=3, n_initial_points=3, tracking=False)
    >>> len(result.x_iters)
    3
    """
    arguments = _arguments(func, dimensions, args, kwargs)
    options = {name: value for name, value in arguments.items() if name not in ("func", "dimensions")}
    options = with_fast_gp(dimensions, options)
    if tracking is False:
        return skopt.gp_minimize(func, dimensions, **options)
    settings = tracking_of(tracking)
    for option in ("isolation", "backend"):
        if (value := getattr(settings, option)) is not None:
            raise UnsupportedOptionError(
                f"gp_minimize calls its objective in this process; GPSearchCV has {option}={value!r}."
            )
    n_threads = settled_threads(settings.n_threads)
    space = normalize_dimensions(dimensions).dimensions
    names = dimension_names(space)
    plan = StudyPlan(
        strategy="gp_minimize",
        estimator=None,
        space={name: describe_value(dimension) for name, dimension in zip(names, dimensions, strict=True)},
        settings={name: describe_value(value) for name, value in arguments.items() if name != "dimensions"},
        metric=OBJECTIVE,
        greater_is_better=False,
        n_trials=options["n_calls"],
        parts={"the objective": func},
    )
    template = template_of(BareNetwork(), None)
    warm = with_known_points(options, known_points(settings.warm_start_from, space, OBJECTIVE, sign=1.0))
    with autologging_suspended(), open_study(plan, settings, template, None, None) as session:
        session.note_threads(n_threads)
        callback = with_stop(options["callback"], session.study.is_over, options["n_calls"])
        objective = _TrackedObjective(func, names, session)
        result = skopt.gp_minimize(objective, dimensions, **{**warm, "callback": callback})
        # Ours hold the study's live parts, and skopt keeps them in what it returns.
        result.specs["args"].update(func=func, callback=options["callback"])
        result.study = session.conclude(StudyOutcome(params=named_point(names, result.x)))
    return result


def _signature_with_tracking() -> Any:
    library = signature(skopt.gp_minimize)
    tracking = Parameter("tracking", Parameter.KEYWORD_ONLY, default=None)
    return library.replace(parameters=[*library.parameters.values(), tracking])


gp_minimize.__signature__ = _signature_with_tracking()  # type: ignore[attr-defined]


class _TrackedObjective:
    """The user's objective, with a trial around each call."""

    def __init__(self, func: Callable[[list[Any]], Any], names: Sequence[str], session: StudySession) -> None:
        self._func = func
        self._names = names
        self._session = session
        self._calls = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # scikit-optimize's checkpoints pickle the objective: what they keep is the user's own.
        return _same, (self._func,)

    def __call__(self, point: list[Any]) -> Any:
        study = self._session.study
        trial = self._calls
        self._calls += 1
        study.begin_candidates([named_point(self._names, point)], n_folds=0)
        known = study.recorded_value(trial)
        if known is not None:
            study.end_objective(trial, {OBJECTIVE: _cost(known)})
            return known
        reporter = Reporter(
            trial, None, study.hear, run=lambda: study.trial_run(trial), tags=study.run.tags_inside(trial)
        )
        try:
            with self._active(trial), reporting(reporter), watch_fits():
                value = self._func(point)
        except Exception:
            study.end_objective(trial, {}, error=traceback.format_exc())
            raise
        study.end_objective(trial, {OBJECTIVE: _cost(value)}, _model(reporter), value=value)
        return value

    def _active(self, trial: int) -> AbstractContextManager[None]:
        """Make the trial's run the active one; where the store is away, the objective goes on without."""
        study = self._session.study
        try:
            return active_run(study.run, study.trial_run(trial)[1])
        except StoreAwayError:
            return nullcontext()


def _same(func: Any) -> Any:
    return func


def _cost(value: Any) -> float:
    # With an acquisition function "per second" the objective returns its cost and its time.
    return float(value[0] if isinstance(value, (tuple, list)) else value)


def _model(reporter: Reporter) -> FittedModel | None:
    return None if reporter.last_model is None else fitted_network(reporter.last_model)


def _arguments(func: Any, dimensions: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of the library's function by name, with its defaults."""
    bound = signature(skopt.gp_minimize).bind(func, dimensions, *args, **kwargs)
    bound.apply_defaults()
    return bound.arguments
