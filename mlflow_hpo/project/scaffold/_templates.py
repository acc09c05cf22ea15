"""The templates, and the files that one of them becomes."""

from __future__ import annotations

import shlex
from pathlib import Path

import jinja2
import yaml

from mlflow_hpo.project.scaffold._environment import Environment
from mlflow_hpo.project.study_file.json_schema import schema_text

TEMPLATES = {
    "classification": "a Keras network that tells classes apart: handwritten digits, or a CSV of yours",
    "images": "a convolutional Keras network on images, which a loader function brings into shape",
    "regression-pipeline": "a CSV with gaps, numbers and text: a scikit-learn pipeline that ends in a Keras network",
}
DEFAULT = "classification"
SCHEMA = "study.schema.json"

_FOLDER = Path(__file__).with_name("templates")
_COMMON = "common"
_RENDERED = ".j2"
_LONG = 10_000  # no line of YAML is folded
_NAMES = {"gitignore": ".gitignore"}  # with its dot, Git would heed the template


def project_files(name: str, template: str, environment: Environment, schema: str = SCHEMA) -> dict[str, bytes]:
    """Return the files of a project, by name.

    Parameters
    ----------
    name : str
        Of the project, its study and its registered model.
    template : str
        One of `TEMPLATES`.
    environment : Environment
        What the project needs.
    schema : str
        Where editors find the schema of the study file. It is one of the project's files, if it is to be in its folder.

    Returns
    -------
    dict of str to bytes
        The content of each file.
    """
    values = {
        "name": name,
        "template": template,
        "summary": TEMPLATES[template],
        "environment": environment,
        "schema": schema,
    }
    files = {SCHEMA: schema_text().encode()} if schema == SCHEMA else {}
    for source in (*(_FOLDER / _COMMON).iterdir(), *(_FOLDER / template).iterdir()):
        file = source.name.removesuffix(_RENDERED)
        rendered = source.suffix == _RENDERED
        content = _render(source, values).encode() if rendered else source.read_bytes()
        files[_NAMES.get(file, file)] = content
    return dict(sorted(files.items()))


def _render(source: Path, values: dict[str, object]) -> str:
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    jinja.filters.update(quoted=_quoted, shell=shlex.quote)
    return jinja.from_string(source.read_text(encoding="utf-8")).render(values)


def _quoted(text: str) -> str:
    """Return text as YAML, where it is nothing but text."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=_LONG).strip()
