"""Whose code a module is: a package's, for which its version stands, or the user's, which counts by its source."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType

from mlflow_hpo.core.digest._code import imports
from mlflow_hpo.core.digest._described import Described
from mlflow_hpo.core.digest._errors import undigestible

_OWN = __name__.partition(".")[0]
_LIBRARY = Path(os.__file__).parent
_SITES = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class Source:
    """A module of the user: where its source is. Its name is not looked at, it may come from its content."""

    name: str
    file: str

    @property
    def package(self) -> str:
        """The package that relative imports in it start from."""
        return self.name if Path(self.file).stem == "__init__" else self.name.rpartition(".")[0]


def is_installed(name: str) -> bool:
    """Return whether a module belongs to Python or to an installed package, not to the user."""
    if _root(name) in (_OWN, "__main__"):
        return _root(name) == _OWN
    file = _file(name)
    if file is None:
        return _root(name) in sys.stdlib_module_names or (_root(name) != name and is_installed(_root(name)))
    return _is_in_library(Path(file))


def reference(module: str, name: str = "") -> Described:
    """Describe something of an installed package by its name and the package's version."""
    return Described("installed", [module, name, _version(_root(module))])


def describe_module(module: ModuleType) -> Described:
    """Describe a module object."""
    found = find(module.__name__) or _source(module.__name__, getattr(module, "__file__", None))
    if found is None:
        raise undigestible(module, "it is a module without a source file")
    return Described("module object", [found])


def describe_source(source: Source) -> Described:
    """Describe a module of the user by what it does and what it imports; how it is written does not matter."""
    content = Path(source.file).read_bytes()
    try:
        code = compile(content, "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # an extension module
        return Described("extension", [content])
    return Described("source", [code, *imported(code, source.package)])


def imported(code: CodeType, package: str) -> list[Source | Described]:
    """Return the modules that code imports while it runs, as far as they can be found."""
    found = {name: find(name) for asked in imports(code) for name in _absolute(*asked, package)}
    return [module for module in found.values() if module is not None]


def find(name: str) -> Source | Described | None:
    """Return a module of the user, or the reference to one of an installed package. Nothing is imported for that."""
    if is_installed(name):
        return reference(name)
    return _source(name, _file(name))


def _source(name: str, file: str | None) -> Source | None:
    return Source(name, file) if file is not None and os.path.isfile(file) else None


def _absolute(name: str, level: int, items: tuple[str, ...], package: str) -> Iterator[str]:
    """Name the modules that may run for one import statement: the packages on the way, the module, its submodules."""
    if level:
        above = package.rsplit(".", level - 1)[0]
        name = f"{above}.{name}" if name else above
    words = name.split(".")
    yield from (".".join(words[: i + 1]) for i in range(len(words)))
    yield from (f"{name}.{item}" for item in items)


def _file(name: str) -> str | None:
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if file is None:
        spec = getattr(module, "__spec__", None) or _spec(name)
        file = spec.origin if spec is not None and spec.has_location else _folder(spec)
    return file


def _folder(spec: importlib.machinery.ModuleSpec | None) -> str | None:
    """Return the folder of a package without an `__init__.py`."""
    return next(iter(getattr(spec, "submodule_search_locations", None) or ()), None)


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    above = name.rpartition(".")[0]
    try:
        if not above:
            return importlib.util.find_spec(name)
        parent = getattr(sys.modules.get(above), "__spec__", None) or _spec(above)
        folders = getattr(parent, "submodule_search_locations", None)
        # Not importlib.util's, which imports the packages above.
        return importlib.machinery.PathFinder.find_spec(name, folders) if folders else None
    except (ImportError, ValueError):
        return None


def _is_in_library(file: Path) -> bool:
    return file.is_relative_to(_LIBRARY) or not _SITES.isdisjoint(file.parts)


def _root(name: str) -> str:
    return name.partition(".")[0]


@cache
def _version(root: str) -> str:
    # Not `__version__`: a package that nothing has imported yet must give the same.
    if root in sys.stdlib_module_names:
        return "{}.{}".format(*sys.version_info)
    distributions = set(_distributions().get(root, ()))
    return " ".join(sorted(f"{name} {importlib.metadata.version(name)}" for name in distributions))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())
