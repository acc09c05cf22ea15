"""The published schema: made of the models, it accepts what a study takes, and refuses the mistakes people make."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project.cli import DEFAULT_STUDY
from mlflow_hpo.project.study_file import load_study_file
from mlflow_hpo.project.study_file._yaml import read_yaml
from mlflow_hpo.project.study_file.json_schema import json_schema

CHECKOUT = Path(__file__).parents[2]
COMMITTED = CHECKOUT / "mlflow_hpo" / "project" / "study_file" / "study.schema.json"
SCHEMA = json_schema()
FILES = [DEFAULT_STUDY, *sorted((CHECKOUT / "examples").glob("*/study.yaml"))]

TAKEN = [
    {},
    {"scoring": "accuracy"},
    {"scoring": "[accuracy, f1_macro]", "decide_by": "f1_macro"},
    {"trials": ""},
    {"seed": "~", "trials": "null", "n_jobs": "-1", "resume": "false", "tags": "{team: vision}"},
    {"data": "{csv: a.csv, target: y, drop: id, separator: ;}", "cv": "{folds: 5, groups: city}"},
    {"data": "{csv: a.csv, target: y, features: [a, b]}"},
    {"data": "{loader: 'my.package:load', args: {rows: 10, name: x, all: true}}"},
    {"space": "{a: {integer: [1, 8], prior: log, steps: 3}, b: {categories: [x, true, ~, 1]}, c: {fixed: [1, 2]}}"},
    {"space": "{a: {distribution: norm, args: [0, 2]}}", "strategy": "random"},
    {"space": "{a: {distribution: uniform, args: {scale: 3}, grid: [1, 2]}}", "strategy": "random"},
    {"model": "m.py:f", "estimator": "", "fit": "{epochs: 2, class_weight: balanced, callbacks: {custom: 'm.py:g'}}"},
    {"fit": "{validation_split: 0.1, callbacks: {early_stopping: {}, reduce_lr_on_plateau: {factor: 0.5}}}"},
]

REFUSED = [
    ({"trails": "3"}, "trails"),
    ({"cv": "{fold: 3}"}, "fold"),
    ({"cv": "{folds: 1}"}, "minimum"),
    ({"cv": "{splitter: stratifed}"}, "stratifed"),
    ({"task": ""}, "'task' is a required property"),
    ({"data": ""}, "'data' is a required property"),
    ({"trials": "'3'"}, "integer"),
    ({"trials": "0"}, "minimum"),
    ({"resume": "yes"}, "boolean"),
    ({"name": "5"}, "string"),
    ({"name": "'  '"}, "does not match"),
    ({"scoring": "[]"}, "not valid under any of the given schemas"),
    ({"strategy": "gird"}, "'grid'"),
    ({"log_models": "all"}, "'all_folds'"),
    ({"n_jobs": "0"}, "should not be valid"),
    ({"fit": "{callbacks: {early_stopping: {patients: 1}}}"}, "not valid under any of the given schemas"),
    ({"model": "m.py:f"}, "not valid under any of the given schemas"),  # beside an estimator
    ({"estimator": ""}, "not valid under any of the given schemas"),
    ({"estimator": "model.py"}, "does not match"),
    ({"data": "{csv: a.csv}"}, "not valid under any of the given schemas"),
    ({"data": "{csv: a.csv, npz: b.npz, target: y}"}, "not valid under any of the given schemas"),
    ({"data": "{sklearn: iris, target: y}"}, "not valid under any of the given schemas"),
    ({"space": "{C: [0.1, 0.5]}"}, "is not of type 'object'"),
    ({"space": "{}"}, "should be non-empty"),
    ({"space": "{C: {}}"}, "not valid under any of the given schemas"),
    ({"space": "{C: {real: [1]}}"}, "too short"),
    ({"space": "{C: {real: [1, 2, 3]}}"}, "too long"),
    ({"space": "{C: {integer: [1.5, 3]}}"}, "integer"),
    ({"space": "{C: {real: [1, 2], prior: lgo}}"}, "not valid under any of the given schemas"),
    ({"space": "{C: {categories: [a], grid: [a]}}"}, "not valid under any of the given schemas"),
    ({"space": "{C: {real: [0, 1], integer: [0, 1]}}"}, "not valid under any of the given schemas"),
]


def keys():
    sections = [SCHEMA, *SCHEMA["$defs"].values()]
    return [item for section in sections for item in section["properties"].items()]


def mistakes(data):
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(data)]


def test_the_committed_copy_is_what_the_models_give(command):
    code, said, _ = command("schema")
    assert code == 0
    again = f"the study file has changed: mlflow-hpo schema > {COMMITTED.relative_to(CHECKOUT)}"
    assert json.loads(said) == json.loads(COMMITTED.read_text()), again


def test_it_is_a_schema_and_describes_every_key():
    Draft202012Validator.check_schema(SCHEMA)
    assert [name for name, key in keys() if not key.get("description")] == []


def test_the_examples_it_shows_are_themselves_taken():
    validator = Draft202012Validator(SCHEMA)
    for name, key in keys():
        alone = validator.evolve(schema={**key, "$defs": SCHEMA["$defs"]})
        assert [example for example in key.get("examples", []) if not alone.is_valid(example)] == [], name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_it_takes_each_study_file_of_the_project_which_name_it_for_editors(file):
    assert mistakes(read_yaml(file).data) == []
    (named,) = re.findall(r"# yaml-language-server: \$schema=(.*)\n", file.read_text())
    assert json.loads((file.parent / named).read_text()) == SCHEMA


def test_it_takes_the_study_files_of_the_readme(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    whole, *more = [_data(tmp_path, text) for text in blocks]
    assert mistakes(whole) == []
    assert more
    for part in more:
        replaced = {"model"} if "estimator" in part else set()
        assert mistakes({key: value for key, value in {**whole, **part}.items() if key not in replaced}) == []


def _data(folder, text):
    file = folder / "study.yaml"
    file.write_text(text)
    return read_yaml(file).data


@pytest.mark.parametrize("replaced", TAKEN, ids=str)
def test_it_takes_what_a_study_takes(folder, replaced):
    file = folder.study(**replaced)
    load_study_file(file)
    assert mistakes(read_yaml(file).data) == []


@pytest.mark.parametrize(("replaced", "message"), REFUSED, ids=[str(replaced) for replaced, _ in REFUSED])
def test_it_refuses_mistakes_that_a_study_refuses(folder, replaced, message):
    file = folder.study(**replaced)
    with pytest.raises(StudyFileError):
        load_study_file(file)
    found = mistakes(read_yaml(file).data)
    assert any(message in mistake for mistake in found), found
