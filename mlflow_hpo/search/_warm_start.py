"""What another study has found, as points that a Gaussian process knows before it proposes its first."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from skopt.space import Dimension, Integer, Real

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.search._dimensions import dimension_names
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.earlier import study_called
from mlflow_hpo.tracking.read import read_trial_records
from mlflow_hpo.tracking.runs import current_experiment
from mlflow_hpo.tracking.store import connect

_logger = logging.getLogger(__name__)

# Points of a space, and what each of them costs.
KnownPoints = tuple[list[list[Any]], list[float]]


def known_points(study: str | None, dimensions: Sequence[Dimension], metric: str, sign: float) -> KnownPoints:
    """Return the trials of another study that lie in a space.

    Parameters
    ----------
    study : str or None
        Its name, or the id of its run; None is no study.
    dimensions : sequence of Dimension
        The space, with names.
    metric : str
        Trials without it are left out.
    sign : float
        What the metric is multiplied by to be a cost.

    Raises
    ------
    NotFoundError
        There is no such study.
    """
    if study is None:
        return [], []
    client = connect()
    run = study_called(client, current_experiment(), study)
    points, costs = [], []
    for trial in read_trial_records(run.info.run_id):
        point = _point(trial.params, dimensions)
        value = trial.metrics.get(metric, math.nan)
        if point is not None and math.isfinite(value):
            points.append(point)
            costs.append(sign * value)
    if not points:
        _logger.warning("No trial of study %r has these parameters, in this space, and %s.", study, metric)
    return points, costs


def recorded_points(study: str, dimensions: Sequence[Dimension]) -> list[list[Any]]:
    """Return the points of a study's trials, in their order.

    Parameters
    ----------
    study : str
        Its run.
    dimensions : sequence of Dimension
        The space, with names.
    """
    points = [_point(trial.params, dimensions) for trial in read_trial_records(study)]
    return [point for point in points if point is not None]


def with_known_points(options: Mapping[str, Any], known: KnownPoints) -> dict[str, Any]:
    """Return options of `skopt.gp_minimize` that begin with known points; as many fewer are drawn at random.

    Parameters
    ----------
    options : mapping
        With `n_initial_points`.
    known : KnownPoints

    Raises
    ------
    InvalidArgumentError
        The options have points of their own, or the acquisition function wants to know what each call has taken.
    """
    points, costs = known
    if not points:
        return dict(options)
    if options.get("x0") is not None:
        raise InvalidArgumentError("Both x0 and Tracking(warm_start_from=...) say where to begin; give one of them.")
    if str(options.get("acq_func", "")).endswith("ps"):
        raise InvalidArgumentError(
            f"acq_func={options['acq_func']!r} weighs time, which another study's trials do not tell: "
            "take EI, LCB, PI or gp_hedge with Tracking(warm_start_from=...)."
        )
    n_initial_points = max(0, options["n_initial_points"] - len(points))
    return {**options, "x0": points, "y0": costs, "n_initial_points": n_initial_points}


def _point(params: Mapping[str, str], dimensions: Sequence[Dimension]) -> list[Any] | None:
    try:
        return [
            _value(params[names.key(name)], dimension)
            for name, dimension in zip(dimension_names(dimensions), dimensions, strict=True)
        ]
    except (KeyError, ValueError):
        return None


def _value(text: str, dimension: Dimension) -> Any:
    """Return the value of a dimension that MLflow has as text.

    Examples
    --------
    >>> _value("0.1", Real(0.0, 1.0))
    0.1
    """
    if isinstance(dimension, (Real, Integer)):
        value = float(text) if isinstance(dimension, Real) else int(text)
        if value not in dimension:
            raise ValueError(f"{text} is outside of {dimension}")
        return value
    return {names.param_value(category): category for category in dimension.categories}[text]
