"""The study file: read, checked, and ready to be prepared. Nothing of the user's code runs here."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.core.space import Space
from mlflow_hpo.project.study_file._meaning import check_meaning
from mlflow_hpo.project.study_file._problems import Problem
from mlflow_hpo.project.study_file._space_section import build_space, check_strategy
from mlflow_hpo.project.study_file._wording import worded
from mlflow_hpo.project.study_file._yaml import Document, read_yaml
from mlflow_hpo.project.study_file.schema import StudySection

_MOST_PROBLEMS = 10
_LONGEST_KEY = 80


@dataclass(frozen=True)
class Override:
    """A value from the command line that replaces the study file's.

    Parameters
    ----------
    path : tuple of str
        The key that it replaces.
    value : object
        The value.
    option : str
        How it was given, such as "--trials"; messages name it.
    """

    path: tuple[str, ...]
    value: Any
    option: str


@dataclass(frozen=True)
class StudyFile:
    """A study file that makes sense by itself; whether its data and model do is seen when it is prepared.

    Parameters
    ----------
    document : Document
        The file with its lines.
    config : StudySection
        What it says, the command line's overrides included.
    space : Space
        Its search space.
    options : mapping of tuple to str
        The options that overrides came from, by path.
    """

    document: Document
    config: StudySection
    space: Space
    options: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that the file's paths resolve against."""
        return self.document.file.resolve().parent

    def error(self, path: Sequence[str | int], message: str) -> StudyFileError:
        """Return the error for a mistake at `path`, worded with its line."""
        return _error(self.document, self.options, [Problem(tuple(path), message)])


def load_study_file(file: str | Path, overrides: Iterable[Override] = ()) -> StudyFile:
    """Read a study file and check all that can be checked without running anything it names.

    Parameters
    ----------
    file : str or Path
        The YAML file.
    overrides : iterable of Override
        Values that replace the file's.

    Returns
    -------
    StudyFile
        The checked file.

    Raises
    ------
    StudyFileError
        The file has mistakes; the message holds all that were found, each with its line.
    """
    document = read_yaml(Path(file))
    given = list(overrides)
    options: dict[tuple[str | int, ...], str] = {override.path: override.option for override in given}
    try:
        config = StudySection.model_validate(_overridden(document.data, given))
    except ValidationError as error:
        raise _error(document, options, list(worded(error, StudySection))) from error
    parameters, problems = build_space(config.space)
    problems += check_meaning(config, options)
    if not problems:
        problems += check_strategy(Space(parameters), config.strategy)
    if problems:
        raise _error(document, options, problems)
    return StudyFile(document, config, Space(parameters), options)


def _overridden(data: dict[str, Any], overrides: Iterable[Override]) -> dict[str, Any]:
    data = copy.deepcopy(data)
    for override in overrides:
        section = data
        for key in override.path[:-1]:
            inner = section.setdefault(key, {})
            if not isinstance(inner, dict):  # pydantic will say so
                break
            section = inner
        else:
            section[override.path[-1]] = override.value
    return data


def _error(
    document: Document, options: Mapping[tuple[str | int, ...], str], problems: Sequence[Problem]
) -> StudyFileError:
    problems = sorted(problems, key=lambda problem: 0 if problem.path in options else document.line(problem.path))
    lines = [_located(document, options, problem) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"... and {len(problems) - _MOST_PROBLEMS} more.")
    return StudyFileError("\n".join(lines))


def _located(document: Document, options: Mapping[tuple[str | int, ...], str], problem: Problem) -> str:
    if problem.path in options:
        return f"{options[problem.path]}: {problem.message}"
    name = ".".join(map(_key, problem.path))
    where = f"{document.file}, line {document.line(problem.path)}"
    return f"{where}: {name}: {problem.message}" if name else f"{where}: {problem.message}"


def _key(part: str | int) -> str:
    """Return a key as it is named in a message: quoted where it would not be seen as it is."""
    text = str(part)
    return text if text.isprintable() and text == text.strip() and len(text) <= _LONGEST_KEY else shown(text)
