"""From a study file's `space` section to the search space."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

from mlflow_hpo.core._space_checks import check_prior
from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.core.space import Categorical, Distribution, Fixed, Integer, Parameter, Real, Space, dimension
from mlflow_hpo.project.study_file._problems import Problem
from mlflow_hpo.project.study_file.schema import MOST_TRIALS, ParameterSection, Strategy

KIND_TAKES = {
    "real": {"prior", "grid", "steps"},
    "integer": {"prior", "grid", "steps"},
    "categories": set[str](),
    "fixed": set[str](),
    "distribution": {"args", "grid"},
}


def build_space(sections: Mapping[str, ParameterSection]) -> tuple[dict[str, Parameter], list[Problem]]:
    """Return the parameters that could be built, and what is wrong with the others."""
    parameters: dict[str, Parameter] = {}
    problems: list[Problem] = []
    for name, section in sections.items():
        try:
            parameters[name] = _parameter(section)
        except InvalidArgumentError as error:
            problems.append(Problem(("space", name), str(error)))
    if not problems:
        problems += _collect(("space",), lambda: Space(parameters))
    return parameters, problems


def check_strategy(space: Space, strategy: Strategy) -> list[Problem]:
    """Return what in the space the strategy cannot search."""
    problems: list[Problem] = []
    for name, parameter in space.searched.items():
        path = ("space", name)
        if strategy == "grid":
            problems += _collect(path, parameter.grid_values)
        elif strategy == "bayes":
            problems += _collect(path, functools.partial(dimension, parameter))
    if strategy == "grid" and not problems and space.grid_size() > MOST_TRIALS:
        problems.append(
            Problem(("space",), f"is a grid of {space.grid_size():,} combinations; {MOST_TRIALS:,} is the most.")
        )
    return problems


def _collect(path: tuple[str, ...], call: Callable[[], object]) -> Iterator[Problem]:
    try:
        call()
    except InvalidArgumentError as error:
        yield Problem(path, str(error))


def _parameter(section: ParameterSection) -> Parameter:
    kind = _kind(section)
    if kind == "fixed":
        return Fixed(section.fixed)
    if kind == "categories":
        return Categorical(tuple(section.categories or ()))
    grid = None if section.grid is None else tuple(section.grid)
    if kind == "distribution":
        return _distribution(section, grid)
    prior = section.prior or "uniform"
    check_prior(prior)
    if kind == "integer":
        low, high = _bounds(section.integer)
        return Integer(low, high, prior, grid, section.steps)  # type: ignore[arg-type]
    return Real(*_bounds(section.real), prior, grid, section.steps)  # type: ignore[arg-type]


def _kind(section: ParameterSection) -> str:
    given = section.model_fields_set
    kinds = [kind for kind in KIND_TAKES if kind in given]
    if len(kinds) != 1:
        found = f"; here are {' and '.join(kinds)}" if kinds else ""
        raise InvalidArgumentError(f"give exactly one of {', '.join(KIND_TAKES)}{found}.")
    idle = given - KIND_TAKES[kinds[0]] - {kinds[0]}
    if idle:
        takes = ", ".join(sorted(KIND_TAKES[kinds[0]])) or "nothing else"
        raise InvalidArgumentError(f"{', '.join(sorted(idle))} has no meaning beside {kinds[0]}, which takes {takes}.")
    return kinds[0]


def _bounds(bounds: list[int] | list[float] | None) -> tuple[int, int]:
    if bounds is None or len(bounds) != 2:
        raise InvalidArgumentError(
            f"a range has two bounds, as [low, high]; got {len(bounds or ())} values. "
            "Choices are written {categories: [...]}."
        )
    return bounds[0], bounds[1]  # type: ignore[return-value]


def _distribution(section: ParameterSection, grid: tuple[object, ...] | None) -> Distribution:
    args = section.args or ()
    positional = () if isinstance(args, dict) else tuple(args)
    named = args if isinstance(args, dict) else {}
    return Distribution(section.distribution or "", positional, named, grid)  # type: ignore[arg-type]
