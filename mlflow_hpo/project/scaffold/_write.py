"""Writing a project into a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import InvalidArgumentError, did_you_mean
from mlflow_hpo.project.scaffold._environment import Environment
from mlflow_hpo.project.scaffold._templates import TEMPLATES, project_files
from mlflow_hpo.project.study_file._names import is_model_name

_LONGEST = 200
_MAY_BE_THERE = {".git"}  # of a repository that is as empty


def project_name(folder: Path) -> str:
    """Return what a project in a folder is called: as the folder, of which `.` may be all that was given."""
    return Path(os.path.abspath(folder)).name


def write_project(folder: Path, template: str) -> list[str]:
    """Write a project, called as its folder is.

    Parameters
    ----------
    folder : Path
        It is made where it is missing.
    template : str
        One of `TEMPLATES`.

    Returns
    -------
    list of str
        The names of the files.

    Raises
    ------
    InvalidArgumentError
        There is no such template, the folder holds something or cannot be written, or its name cannot be a study's.
    """
    if template not in TEMPLATES:
        raise InvalidArgumentError(
            f"--template is one of {', '.join(TEMPLATES)}; got {shown(template)}.{did_you_mean(template, TEMPLATES)}"
        )
    name = project_name(folder)
    _check_name(name)
    _check_empty(folder)
    files = project_files(name, template, Environment.here())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
    except OSError as error:
        raise InvalidArgumentError(f"the project cannot be written to {folder}: {error.strerror}.") from error
    return list(files)


def _check_name(name: str) -> None:
    # mlflow run takes what follows a '#' for a folder in the project.
    if not is_model_name(name) or not name.isprintable() or "#" in name or len(name) > _LONGEST:
        raise InvalidArgumentError(
            f"a project's folder gives its name to the study and the registered model: it is one line of at most "
            f"{_LONGEST} characters, without '/', ':' and '#'; got {shown(name)}."
        )


def _check_empty(folder: Path) -> None:
    try:
        found = sorted(one.name for one in folder.iterdir() if one.name not in _MAY_BE_THERE)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise InvalidArgumentError(f"{folder} is a file; name a new folder.") from None
    except OSError as error:
        raise InvalidArgumentError(f"the folder {folder} cannot be read: {error.strerror}.") from error
    if found:
        raise InvalidArgumentError(f"the folder {folder} is not empty ({found[0]} is there); name a new one.")
