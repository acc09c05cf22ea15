"""Importing the functions that a study file names, from files and from packages."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from mlflow_hpo.core.errors import StudyFileError, brief, did_you_mean
from mlflow_hpo.project._files import problem_with
from mlflow_hpo.project._termination import STOPS

_folders: set[Path] = set()


def load_function(reference: str, folder: Path) -> Any:
    """Import what `file.py:function` or `package.module:function` names.

    Parameters
    ----------
    reference : str
        The name.
    folder : Path
        What a file's path resolves against; modules are looked for there too.

    Returns
    -------
    callable
        The function.

    Raises
    ------
    StudyFileError
        There is no such file, module or function, or importing it fails.
    """
    where, _, name = reference.rpartition(":")
    module = _from_file(folder / where) if where.endswith(".py") else _from_package(where, folder)
    function = getattr(module, name, None)
    if not callable(function):
        own = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
        problem = "is no function" if function is not None else "is not there"
        raise StudyFileError(f"{name!r} {problem} in {where}.{did_you_mean(name, own)} It names: {_listed(own)}.")
    return function


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)[:10]) or "nothing that can be called"


def _from_file(file: Path) -> ModuleType:
    problem = problem_with(file, "the Python file in it")
    if problem is not None:
        raise StudyFileError(problem)
    source = file.read_bytes()
    # The name comes from the content: two files model.py do not clash, and a copy of a project, which each
    # `mlflow run` of a git address makes, keeps the name by which its functions are pickled.
    name = f"{file.stem}_{hashlib.sha256(source).hexdigest()[:8]}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ != str(file.resolve()):
        name = f"{name}_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
        known = sys.modules.get(name)
    return known or _execute(name, file.resolve())


def _execute(name: str, file: Path) -> ModuleType:
    _enter(file.parent)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = set(sys.modules)
    try:
        spec.loader.exec_module(module)
    except STOPS:
        raise
    except BaseException as error:  # a module may call sys.exit
        del sys.modules[name]
        raise _import_failed(file.name, error) from error
    _pickle_by_value(module, *(sys.modules[one] for one in set(sys.modules) - before))
    return module


def _from_package(name: str, folder: Path) -> ModuleType:
    _enter(folder)
    try:
        return importlib.import_module(name)
    except STOPS:
        raise
    except BaseException as error:
        raise _import_failed(name, error) from error


def _enter(folder: Path) -> None:
    """Let modules of `folder` be imported; forget those of the same name that another study's folder brought."""
    for name in {entry.stem for entry in folder.iterdir()} if folder.is_dir() else set[str]():
        known = sys.modules.get(name)
        if known is not None and _home(known) in _folders - {folder}:
            for one in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                del sys.modules[one]
    _folders.add(folder)
    # First, as Python itself puts a script's folder.
    sys.path[:] = [str(folder), *(one for one in sys.path if one != str(folder))]
    importlib.invalidate_caches()


def _pickle_by_value(*modules: ModuleType) -> None:
    # A worker process, perhaps on another machine, does not have the study's folder on its path.
    for module in modules:
        if _home(module) in _folders:
            cloudpickle.register_pickle_by_value(module)


def _home(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    folder = Path(file).parent
    return folder.parent if Path(file).name == "__init__.py" else folder


def _import_failed(what: str, error: BaseException) -> StudyFileError:
    where = "" if isinstance(error, SyntaxError) else place(error)  # a SyntaxError says it itself
    return StudyFileError(f"{what} cannot be imported: {brief(error)}{where}.")


def place(error: BaseException) -> str:
    """Return where in the user's own code an error came from, such as " (model.py, line 3)"; empty where it did not."""
    ours, libraries = Path(__file__).parents[2], Path(sysconfig.get_paths()["stdlib"])
    found, trace = "", error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".py" and "site-packages" not in file.parts and not file.is_relative_to(ours):
            found = found if file.is_relative_to(libraries) else f" ({file.name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found
