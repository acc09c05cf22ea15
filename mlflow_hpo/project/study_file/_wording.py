"""How pydantic's findings are worded for whoever wrote the study file."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.project.study_file._habits import meant
from mlflow_hpo.project.study_file._problems import Problem
from mlflow_hpo.project.study_file.schema import Section

_WANTED = {
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text; numbers and dates meant as text need quotes",
    "none_required": "null",
}
_BOUND = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_long": "text of at most {max_length} characters",
}
_NAMES = {"scoring", "features", "drop", "custom"}
_EMPTY = {"too_short", "string_too_short", "string_pattern_mismatch"}


def worded(error: ValidationError, root: type[Section]) -> Iterator[Problem]:
    """Yield one problem for each place of the file that pydantic found wrong.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    root : type of Section
        The section that was validated.
    """
    seen: set[tuple[str | int, ...]] = set()
    for details in error.errors(include_url=False):
        # A union reports once for each of its members, under the member's name: one report is enough.
        path = tuple(_known_path(details["loc"], root, details))
        if path not in seen:
            seen.add(path)
            yield Problem(path, _message(details, path, root))


def _known_path(loc: tuple[str | int, ...], root: type[Section], details: ErrorDetails) -> Iterator[str | int]:
    annotation: Any = root
    for index, part in enumerate(loc):
        last_unknown = details["type"] == "extra_forbidden" and index == len(loc) - 1
        inner = _inside(annotation, part)
        if inner is None and not last_unknown:
            return
        annotation = inner
        yield part


def _message(details: ErrorDetails, path: tuple[str | int, ...], root: type[Section]) -> str:
    kind, given = details["type"], details.get("input")
    ctx = details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), _section_at(path[:-1], root))
    if kind == "missing":
        return f"is missing; {_field_at(path, root)}."
    if kind in _EMPTY:
        return _empty(given)
    if kind == "literal_error":
        return _not_allowed(given, _choices(_annotation_at(path, root)))
    if kind in _BOUND:
        return f"is {_BOUND[kind].format(**ctx)}; got {shown(given)}."
    if kind == "model_type" and path[:1] == ("space",):
        return (
            f"say of which kind it is: {{categories: [...]}}, {{real: [low, high]}}, {{integer: [low, high]}}, "
            f"{{fixed: value}} or {{distribution: name}}; got {shown(given)}."
        )
    if kind == "list_type" and str(path[-1]) in _NAMES:
        return f"is a name, or a list of names; got {shown(given)}."
    if kind in _WANTED:
        return f"is {_WANTED[kind]}; got {shown(given)}."
    return f"{details['msg']}; got {shown(given)}."


def _empty(given: object) -> str:
    if isinstance(given, list | dict):
        return "is empty; name at least one."
    if isinstance(given, str) and given.strip():
        return f"is one line of text, without control characters; got {shown(given)}."
    return "is empty text."


def _unknown_key(key: str, section: type[Section] | None) -> str:
    allowed = list(section.model_fields) if section else []
    return f"is no key that is known here.{meant(key, allowed)} Allowed: {', '.join(allowed)}."


def _not_allowed(given: object, choices: list[str]) -> str:
    return f"is one of {', '.join(choices)}; got {shown(given)}.{meant(str(given), choices)}"


def _annotation_at(path: tuple[str | int, ...], root: type[Section]) -> Any:
    annotation: Any = root
    for part in path:
        annotation = _inside(annotation, part)
    return annotation


def _section_at(path: tuple[str | int, ...], root: type[Section]) -> type[Section] | None:
    return next(_sections(_annotation_at(path, root)), None)


def _field_at(path: tuple[str | int, ...], root: type[Section]) -> str:
    section = _section_at(path[:-1], root)
    field: FieldInfo | None = section.model_fields.get(str(path[-1])) if section else None
    return (field.description or "") if field else ""


def _inside(annotation: Any, part: str | int) -> Any:
    """Return the annotation of what `part` leads to, or None where it leads nowhere."""
    for one in _members(annotation):
        if isinstance(one, type) and issubclass(one, Section) and part in one.model_fields:
            return one.model_fields[str(part)].annotation
        origin = typing.get_origin(one)
        if (origin is dict and isinstance(part, str)) or (origin is list and isinstance(part, int)):
            return typing.get_args(one)[-1]
    return None


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, `Annotated` taken off."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _members(arguments[0])
    elif arguments and typing.get_origin(annotation) not in (dict, list, typing.Literal):
        for one in arguments:
            yield from _members(one)
    else:
        yield annotation


def _sections(annotation: Any) -> Iterator[type[Section]]:
    return (one for one in _members(annotation) if isinstance(one, type) and issubclass(one, Section))


def _choices(annotation: Any) -> list[str]:
    literals = (one for one in _members(annotation) if typing.get_origin(one) is typing.Literal)
    return [str(choice) for one in literals for choice in typing.get_args(one)]
