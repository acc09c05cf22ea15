"""PyYAML's safe parser as a study file needs it: YAML 1.2's scalars, no aliases, not deep, its errors worded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from mlflow_hpo.core.errors import StudyFileError

_DEEPEST = 20
_LONGEST_PROBLEM = 300

# What PyYAML says, and what whoever wrote the file can do about it.
_HINTS = {
    r"'\t'": "Indent with spaces; YAML takes no tabs.",
    "mapping values are not allowed": "Put quotes around text that holds a ':'; each key has a line of its own.",
    "expected ',' or": "A bracket or brace before it is not closed, or a comma is missing.",
    "end of stream": "A quote or bracket before it is not closed.",
    "expected <block end>": "Keys of one section begin at the same column.",
    "could not find expected ':'": "A line before it is neither 'key: value' nor a list item.",
    "but found another document": "A study file is one document: remove the line '---'.",
}


class _RefusedError(yaml.YAMLError):
    """The file is valid YAML, and has what no study file needs."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's plain scalars; without aliases, and not deep."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose the next node and what is in it."""
        if self.check_event(yaml.AliasEvent):
            # Shared nodes are how a file of a few lines grows to gigabytes.
            raise self._refused(
                "aliases (*name) are not taken here; write the value again, "
                "or put quotes around text that begins with '*'."
            )
        if self._depth > _DEEPEST:
            raise self._refused(f"nested deeper than {_DEEPEST} levels.")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def _refused(self, problem: str) -> _RefusedError:
        return _RefusedError(self.peek_event().start_mark.line + 1, problem)  # type: ignore[no-untyped-call]


_Loader.yaml_implicit_resolvers = {}  # not YAML 1.1's

for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def compose(text: str, file: Path) -> yaml.Node | None:
    """Return the tree of a YAML text, or None where it is empty.

    Parameters
    ----------
    text : str
        The text.
    file : Path
        Where it comes from; messages name it.

    Raises
    ------
    StudyFileError
        It is no YAML, or holds an alias, or is nested too deeply.
    """
    try:
        return yaml.compose(text, Loader=_Loader)
    except _RefusedError as error:
        raise StudyFileError(f"{file}, {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        problem = _one_line(str(error.problem or error.context))
        raise StudyFileError(f"{file}{where}: this is no valid YAML: {problem}.{_hint(problem)}") from error
    except yaml.YAMLError as error:
        raise StudyFileError(
            f"{file}: this is no valid YAML: {' '.join(str(error).split())[:_LONGEST_PROBLEM]}."
        ) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_PROBLEM]


def _hint(problem: str) -> str:
    """Return what to do about a problem that PyYAML found; empty where its words say it."""
    return next((f" {hint}" for sign, hint in _HINTS.items() if sign in problem), "")
