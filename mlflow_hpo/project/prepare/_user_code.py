"""Running the functions that a study file names: whatever goes wrong in one is told with its line, and no traceback."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from mlflow_hpo.core.errors import StudyFileError, brief
from mlflow_hpo.project._termination import STOPS
from mlflow_hpo.project.prepare._modules import load_function, place
from mlflow_hpo.project.study_file import StudyFile


def named_function(study: StudyFile, path: tuple[str | int, ...], reference: str) -> Callable[..., Any]:
    """Return the function that a key of the study file names.

    Parameters
    ----------
    study : StudyFile
        The study.
    path : tuple of str or int
        The key.
    reference : str
        `file.py:function` or `package.module:function`.

    Raises
    ------
    StudyFileError
        It is not there, or importing it fails.
    """
    try:
        return load_function(reference, study.folder)  # type: ignore[no-any-return]
    except StudyFileError as error:
        raise study.error(path, str(error)) from error


def called(
    study: StudyFile, path: tuple[str | int, ...], what: str, function: Callable[..., Any], /, **arguments: Any
) -> Any:
    """Call a user's function, or what calls one.

    Parameters
    ----------
    study : StudyFile
        The study.
    path : tuple of str or int
        The key that names the function.
    what : str
        The beginning of the message, such as "the loader".
    function : callable
        What is called.
    **arguments : object
        Its arguments.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    StudyFileError
        It has raised something, or has ended the program.
    """
    try:
        return function(**arguments)
    except STOPS:
        raise
    except BaseException as error:  # a function may call sys.exit
        raise study.error(path, f"{what} failed: {brief(error)}{place(error)}.") from error


def required_arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments without which a function cannot be called."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some builtins tell nothing of their arguments
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def function_name(function: Callable[..., Any]) -> str:
    """Return what a function is called in messages."""
    return str(getattr(function, "__name__", "the function"))
