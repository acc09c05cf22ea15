"""The JSON Schema of the study file, by which editors complete and check it; made of the pydantic models.

`study.schema.json` beside this module is a copy for editors that read a file; a test says when to write it anew.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mlflow_hpo.project.study_file._meaning import DATA_TAKES, WITH_COLUMNS
from mlflow_hpo.project.study_file._space_section import KIND_TAKES
from mlflow_hpo.project.study_file.schema import DataSection, ParameterSection, Section, StudySection


def json_schema() -> dict[str, Any]:
    """Return the schema of the study file: its keys, and those of their combinations that a schema can tell.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12. What it refuses, a study does not take; names and data are not looked at.
    """
    schema = StudySection.model_json_schema(schema_generator=_Generator)
    schema["oneOf"] = [_only(key, ("model", "estimator")) for key in ("model", "estimator")]
    schema["$defs"][DataSection.__name__]["oneOf"] = list(
        _one_of(DATA_TAKES, DataSection, {source: ["target"] for source in WITH_COLUMNS})
    )
    schema["$defs"][ParameterSection.__name__]["oneOf"] = list(_one_of(KIND_TAKES, ParameterSection))
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(json_schema(), indent=1) + "\n"


class _Generator(GenerateJsonSchema):
    """pydantic's generator, for people to read: no titles made of keys, no defaults that say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Set no titles: a key is its own title."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Call a section by what its docstring begins with: editors name it so."""
        title = inspect.cleandoc(schema["cls"].__doc__ or "").partition(":")[0].removesuffix(".")
        return {**super().model_schema(schema), "title": title}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave null out, and a section's defaults, which stand at its keys."""
        made = super().default_schema(schema)
        return _without(made, "default") if isinstance(made.get("default"), dict | None) else made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Write `null` beside the type where there is one, so that an editor's message names both."""
        inner = self.generate_inner(schema["schema"])
        if isinstance(inner.get("type"), str) and not {"enum", "const"} & inner.keys():
            return {**inner, "type": [inner["type"], "null"]}
        return super().nullable_schema(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Refuse the names that do not match, where pydantic's schema lets them be anything."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made["additionalProperties"] = values
            made["propertyNames"] = {**made.get("propertyNames", {}), "pattern": pattern}
        return made


def _one_of(
    takes: Mapping[str, Collection[str]], section: type[Section], needs: Mapping[str, list[str]] | None = None
) -> Iterable[dict[str, Any]]:
    """Yield what a section of each kind holds, the kind being the one key of `takes` that is given."""
    for kind, beside in takes.items():
        idle = [key for key in section.model_fields if key != kind and key not in beside]
        yield _only(kind, [kind, *idle], (needs or {}).get(kind, []))


def _only(key: str, keys: Iterable[str], needed: Iterable[str] = ()) -> dict[str, Any]:
    """Return a schema that asks for one key and refuses the others."""
    return {"required": [key, *needed], "properties": {other: False for other in keys if other != key}}


def _without(schema: JsonSchemaValue, key: str) -> JsonSchemaValue:
    return {name: value for name, value in schema.items() if name != key}
