"""Sphinx directive `study-file-keys`: tables of a study file's keys, read from the model that checks study files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mlflow_hpo.project.study_file.schema import StudySection

_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "exclusiveMaximum": "below", "maximum": "at most"}
_HUGE = 10_000
_REFERENCE = "#/$defs/"


class StudyFileKeys(SphinxDirective):
    """The keys of one section, such as `data` or `fit.callbacks`; without an argument, those of the whole file."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        schema = StudySection.model_json_schema()
        section = _section(schema, self.arguments[0].split(".") if self.arguments else [])
        lines = ["| key | takes | if left out | meaning |", "|---|---|---|---|", *_rows(section)]
        return self.parse_text_to_nodes("\n".join(lines))


def _section(schema: Mapping[str, Any], path: list[str]) -> Mapping[str, Any]:
    section = schema
    for key in path:
        section = schema["$defs"][_named(section["properties"][key])]
    return section


def _named(field: Mapping[str, Any]) -> str:
    """Return the name of the section that a key takes, or takes many of."""
    inside = [*_alternatives(field), *field.get("patternProperties", {}).values()]
    inner = next(one for one in inside if "$ref" in one)
    return str(inner["$ref"]).removeprefix(_REFERENCE)


def _rows(section: Mapping[str, Any]) -> Iterator[str]:
    required = section.get("required", ())
    for key, field in section["properties"].items():
        default = field.get("default")
        shown = f"`{json.dumps(default)}`" if isinstance(default, str | int | float) else ""
        left_out = "**has to be there**" if key in required else shown
        yield f"| `{key}` | {_takes(field)} | {left_out} | {field.get('description', '')} |"


def _takes(field: Mapping[str, Any]) -> str:
    kinds = dict.fromkeys(_kind(one) for one in _alternatives(field) if one.get("type") != "null")
    return " or ".join(kinds) or "any value"


def _kind(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        item = _takes(field["items"]) if field.get("items") else "any value"
        return f"list of {item}" if item != "any value" else "list"
    if "$ref" in field or field.get("type") == "object":
        return "section"
    return _KINDS.get(field.get("type", ""), "any value") + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    # Bounds that only keep a slip of the finger from being taken are not worth a reader's time.
    said = [f"{word} {field[name]}" for name, word in _BOUNDS.items() if abs(field.get(name, _HUGE)) < _HUGE]
    return "".join(f", {bound}" for bound in said)


def _alternatives(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return field.get("anyOf") or [field]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("study-file-keys", StudyFileKeys)
    return {"parallel_read_safe": True}
