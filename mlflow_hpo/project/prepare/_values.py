"""Trying values of the search space: what an estimator refuses whatever the data are is told before anything trains."""

from __future__ import annotations

import re
from typing import Any

from mlflow_hpo.core.errors import brief, did_you_mean
from mlflow_hpo.core.space import Categorical, Integer, Real, Searched
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file.schema import Strategy


def telling_values(parameter: Searched, strategy: Strategy) -> list[Any]:
    """Return the values of a parameter that an estimator is most likely to refuse: each choice, the ends of a range.

    Parameters
    ----------
    parameter : parameter
        Of the search space.
    strategy : {"grid", "random", "bayes"}
        A grid search tries nothing but the grid.
    """
    if strategy == "grid" or isinstance(parameter, Categorical):
        return parameter.grid_values()
    if isinstance(parameter, Integer):
        return [parameter.low, parameter.high]
    if isinstance(parameter, Real):
        # Just inside: people write [0, 1] where 0 itself is not allowed, and it is never drawn.
        inward = (parameter.high - parameter.low) * 1e-6
        return [parameter.low + inward, parameter.high - inward]
    drawn = parameter.distribution().rvs(random_state=0)
    return [drawn.item() if hasattr(drawn, "item") else drawn]


def check_value(study: StudyFile, name: str, estimator: Any) -> None:
    """Refuse a value that scikit-learn's own check of parameters refuses.

    Parameters
    ----------
    study : StudyFile
        The study.
    name : str
        The parameter, such as "svc__C".
    estimator : estimator
        It has the value set.

    Raises
    ------
    StudyFileError
        Every trial with this value would fail.
    """
    step, _, own = name.rpartition("__")
    owner = estimator.get_params().get(step) if step else estimator
    # scikit-learn's estimators declare what each parameter may be; others have no such table.
    constraints = getattr(owner, "_parameter_constraints", None)
    if not isinstance(constraints, dict) or own not in constraints:
        return
    from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

    value = owner.get_params(deep=False)[own]
    try:
        validate_parameter_constraints(constraints, {own: value}, type(owner).__name__)
    except InvalidParameterError as error:
        said = brief(error).removeprefix("InvalidParameterError: ")
        hint = did_you_mean(str(value), re.findall(r"'([^']*)'", said.partition("among")[2].partition("Got")[0]))
        raise study.error(("space", name), f"{said}{hint}") from error
