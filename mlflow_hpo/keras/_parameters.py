"""The arguments of a user's model function, adopted as parameters of the estimator around it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.errors import InvalidArgumentError, did_you_mean

# scikeras fills these in itself when the function asks for them.
_SUPPLIED = frozenset({"meta", "compile_kwargs", "params"})
# These say which function it is and how it is run, so they cannot also be its arguments.
_RESERVED = frozenset({"model", "build_fn", "reuse"})


@dataclass(frozen=True)
class FunctionArguments:
    """What a model function can be given by name.

    Parameters
    ----------
    defaults : mapping of str to object
        Its named arguments and their defaults, `inspect.Parameter.empty` where there is none.
    anything : bool
        Whether it also takes names that it does not list (`**kwargs`).
    known : bool
        Whether there is a function to look at; else nothing can be said about a name.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    anything: bool = False
    known: bool = False

    @classmethod
    def of(cls, function: Any) -> FunctionArguments:
        """Read the arguments of a plain function or a partial; of anything else nothing is known."""
        if not (inspect.isfunction(function) or isinstance(function, functools.partial)):
            return cls()
        parameters = inspect.signature(function).parameters.values()
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        defaults = {p.name: p.default for p in named if p.name not in _SUPPLIED | _RESERVED}
        return cls(defaults, any(p.kind is p.VAR_KEYWORD for p in parameters), known=True)

    def adopted(self) -> dict[str, Any]:
        """Return the arguments that have a default worth adopting as an estimator's parameter.

        A default of None says "decide for me", so it replaces no default of the estimator's own; see `passed`.
        """
        return {name: value for name, value in self.defaults.items() if value is not inspect.Parameter.empty}

    def takes(self, name: str) -> bool:
        """Return whether `name` can be given to the function."""
        return self.anything or name in self.defaults


def adopt(function: Any, given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the function's defaults for all that was not given.

    Parameters
    ----------
    function : callable or None
        The user's model function.
    given : mapping of str to object
        Parameters that were given; they win.
    own : mapping of str to object
        The estimator's own parameters and their defaults; a function's default of None leaves them be.
    """
    adopted = FunctionArguments.of(function).adopted()
    return {name: value for name, value in adopted.items() if name not in given and not (value is None and name in own)}


def passed(
    function: Any,
    values: Mapping[str, Any],
    own: Mapping[str, Any],
    undeclared: Collection[str],
    elsewhere: Collection[str],
) -> set[str]:
    """Return the names among `values` that the function is called with.

    Parameters
    ----------
    function : callable or None
        The user's model function.
    values : mapping of str to object
        The estimator's parameters.
    own : mapping of str to object
        The estimator's own parameters and their defaults. A name that both know, such as `optimizer`, goes to the
        function too (a search over it would train the same network again and again otherwise), unless the function
        decides for itself (default None) and the estimator's value is merely its default.
    undeclared : collection of str
        Names that the user gave beyond the estimator's own.
    elsewhere : collection of str
        Names with another taker, such as `keras.Model.fit`.
    """
    arguments = FunctionArguments.of(function)
    if not arguments.known:
        return set(undeclared)
    left_to_function = {
        name
        for name, default in arguments.defaults.items()
        if default is None and name in own and values.get(name) == own[name]
    }
    names = (arguments.defaults.keys() & values.keys()) - left_to_function
    if arguments.anything:
        names |= set(undeclared) - set(elsewhere)
    return names


def check_names(
    names: Collection[str], function: Any, allowed: Collection[str], prefixes: Collection[str], estimator: str
) -> None:
    """Refuse names that neither the estimator, nor Keras, nor the function takes.

    Raises
    ------
    InvalidArgumentError
        A name has no taker; all such names are in the message.
    """
    arguments = FunctionArguments.of(function)
    unknown = [
        name
        for name in names
        if not (name in allowed or arguments.takes(name) or ("__" in name and name.split("__")[0] in prefixes))
    ]
    if not unknown:
        return
    candidates = {*allowed, *arguments.defaults}
    hints = "".join(did_you_mean(name, candidates) for name in unknown)
    title = _title(function)
    raise InvalidArgumentError(
        f"Invalid parameter {', '.join(map(repr, unknown))} for estimator {estimator}: neither it nor {title} takes"
        f" this.{hints} `get_params()` lists all names; an argument added to the model function becomes one of them."
    )


def _title(function: Callable[..., Any] | None) -> str:
    if isinstance(function, functools.partial):
        return _title(function.func)
    name = getattr(function, "__name__", None)
    return f"{name}()" if name else "its model"
