"""What the documentation shows works: study files are read, Python compiles, imports and commands are there."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

import mlflow_hpo
from mlflow_hpo.project.cli import cli
from mlflow_hpo.project.study_file import load_study_file
from mlflow_hpo.project.study_file.schema import StudySection

CHECKOUT = Path(__file__).parents[1]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
# Study files are shown in parts; what a part leaves out.
REST = """\
model: model.py:create_model
data: {sklearn: digits}
task: classification
space: {learning_rate: {real: [1e-4, 1e-1]}}
"""


def blocks(*languages):
    """Return every code block in one of the languages, named by its page."""
    return [
        pytest.param(text, id=f"{page.relative_to(CHECKOUT)}-{number}")
        for page in PAGES
        for number, (language, text) in enumerate(BLOCK.findall(page.read_text("utf-8")))
        if language in languages
    ]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_a_study_file_or_a_part_of_one(text, tmp_path):
    given = {"model" if key == "estimator" else key for key in yaml.safe_load(text)}
    rest = [line for line in REST.splitlines() if line.partition(":")[0] not in given]
    file = tmp_path / "study.yaml"
    file.write_text("\n".join([text, *rest]), encoding="utf-8")
    assert load_study_file(file).config.model_fields_set <= set(StudySection.model_fields)


@pytest.mark.parametrize("text", blocks("python"))
def test_python_compiles_and_calls_what_is_there(text):
    tree = ast.parse(text)
    ours = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            found = {alias.name: getattr(module, alias.name) for alias in node.names}
            ours |= found if node.module.startswith("mlflow_hpo") else {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ours:
            keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
            inspect.signature(ours[node.func.id]).bind_partial(*([None] * len(node.args)), **keywords)


@pytest.mark.parametrize("text", blocks("console", "bash"))
def test_commands_and_their_options_exist(text):
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True) if "mlflow-hpo" in line[:12] else []
        if words[:1] == ["mlflow-hpo"]:
            options = {option for param in cli.commands[words[1]].params for option in _spellings(param)}
            assert {word for word in words if word.startswith("-")} <= options


def _spellings(param):
    return [*param.opts, *param.secondary_opts] if isinstance(param, click.Option) else []


def test_the_reference_has_every_public_name():
    page = (CHECKOUT / "docs" / "reference" / "python.md").read_text("utf-8")
    documented = set(re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.M))
    assert documented == set(mlflow_hpo.__all__)
