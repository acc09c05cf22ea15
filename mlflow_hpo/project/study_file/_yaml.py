"""Reading YAML safely, with the line of every key and value kept for the messages.

Only plain data comes out: no tag makes an object, no alias makes a small file large, no key is given twice. Scalars are
read as YAML 1.2 has them, so that `1e-4` is a number and `no` is text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project._files import near_names, problem_with
from mlflow_hpo.project.study_file._compose import compose

_MOST_BYTES = 200_000
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null")}

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A YAML file's data, and where each piece of it stands.

    Parameters
    ----------
    file : Path
        The file it was read from.
    data : dict
        Plain data: dict, list, str, int, float, bool, None.
    lines : mapping of tuple to int
        Line, from 1, of each key and list item, by the path of keys and indices that leads there.
    """

    file: Path
    data: dict[str, Any]
    lines: Mapping[Path_, int]

    def line(self, path: Path_) -> int:
        """Return the line of what `path` leads to, or of the nearest thing around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "null": lambda text: None,
}


def read_yaml(file: Path) -> Document:
    """Read a file that holds one mapping.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    Document
        Its data and lines.

    Raises
    ------
    StudyFileError
        It cannot be read, is no YAML, or holds what plain data does not.
    """
    node = compose(_read_text(file), file)
    lines: dict[Path_, int] = {}
    data = _Plain(file, lines).convert(node, ())
    if not isinstance(data, dict):
        raise StudyFileError(f"{file}: a study file is a mapping of keys to values, such as 'strategy: random'.")
    return Document(file, data, lines)


def _read_text(file: Path) -> str:
    problem = problem_with(file, f"the study file in it, such as {file / 'study.yaml'}")
    if problem is not None:
        raise StudyFileError(problem + near_names(file, (".yaml", ".yml")))
    if file.stat().st_size > _MOST_BYTES:
        raise StudyFileError(f"{file} is larger than {_MOST_BYTES:,} bytes: that is no study file.")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyFileError(f"{file} is no text in UTF-8: {error.reason} at byte {error.start}.") from error


class _Plain:
    """Turns YAML's nodes into plain data and notes their lines.

    Parameters
    ----------
    file : Path
        For the messages.
    lines : dict
        Filled with the line of each path.
    """

    def __init__(self, file: Path, lines: dict[Path_, int]) -> None:
        self._file = file
        self._lines = lines

    def convert(self, node: yaml.Node | None, path: Path_) -> Any:
        """Return the data of `node`, which stands at `path`."""
        if node is None:
            raise StudyFileError(f"{self._file} is empty.")
        self._lines.setdefault(path, node.start_mark.line + 1)
        self._check(node)
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _check(self, node: yaml.Node) -> None:
        if node.tag not in _PLAIN_TAGS:
            raise self._error(node, f"the tag {shown(node.tag)} is not taken here; a study file holds plain data only")

    def _items(self, node: yaml.MappingNode, path: Path_) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            line = key_node.start_mark.line + 1
            if key in first:
                raise self._error(key_node, f"the key {shown(key)} stands here again, as in line {first[key]}")
            first[key] = line
            self._lines[(*path, key)] = line
            yield key, self.convert(value_node, (*path, key))

    def _key(self, node: yaml.Node, path: Path_) -> str:
        key = self.convert(node, (*path, "")) if isinstance(node, yaml.ScalarNode) else None
        self._lines.pop((*path, ""), None)
        if not isinstance(key, str) or not key:
            raise self._error(node, f"keys are text; got {shown(key)}. Put quotes around it if it is meant as text")
        return key

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.rsplit(":", 1)[-1]
        try:
            value = _SCALARS[kind](node.value)
        except (KeyError, ValueError) as error:
            raise self._error(node, f"this value cannot be read as {kind}") from error
        if isinstance(value, str) and "\x00" in value:
            raise self._error(node, "a NUL character is not taken here")
        return value

    def _error(self, node: yaml.Node, problem: str) -> StudyFileError:
        return StudyFileError(f"{self._file}, line {node.start_mark.line + 1}: {problem}.")
