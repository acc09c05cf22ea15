from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest
import yaml

from mlflow_hpo.project.scaffold import TEMPLATES, Environment, project_files
from mlflow_hpo.project.scaffold._environment import requirement_of
from mlflow_hpo.project.study_file import load_study_file
from mlflow_hpo.project.study_file.json_schema import schema_text

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = {"digits_mlp": "classification", "cnn": "images", "tabular_regression": "regression-pipeline"}
FILES = {".gitignore", "MLproject", "README.md", "conda.yaml", "model.py", "study.schema.json", "study.yaml"}
# The examples belong to the checkout: they are installed from it, and share its copy of the schema.
OF_THE_CHECKOUT = Environment(
    "3.11",
    "mlflow-hpo @ file://${MLFLOW_HPO}",
    "MLFLOW_HPO is where mlflow_hpo is installed from: export it as the path of its checkout.",
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_what_init_writes(example):
    schema = "../../mlflow_hpo/project/study_file/study.schema.json"
    written = project_files(example, EXAMPLES[example], OF_THE_CHECKOUT, schema)
    folder = CHECKOUT / "examples" / example
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.name in written}
    assert found == written


def test_each_template_is_an_example():
    assert set(EXAMPLES.values()) == set(TEMPLATES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "smaller"),
    [("classification", ["--folds", "2", "--epochs", "2"]), ("images", ["--epochs", "1"])],
)
def test_a_new_project_runs(tmp_path, store, command, template, smaller):
    code, said, err = command("init", "new/my-study", "--template", template)
    assert (code, err) == (0, "")
    assert said.startswith(f"Wrote new/my-study ({template}): ")
    assert "\nCheck it    mlflow-hpo check new/my-study/study.yaml\n" in said
    code, said, err = command("check", "new/my-study/study.yaml")
    assert (code, err) == (0, "")
    code, said, err = command(
        "run", "new/my-study/study.yaml", "--experiment-name", f"init {template}", "--trials", "2", *smaller
    )
    assert (code, err) == (0, "")
    assert "(my-study)" in said  # the study is called as its folder is
    assert "Registered  my-study version" in said


def test_the_first_template_is_the_default_and_all_are_listed(tmp_path, command):
    folder = written(command, tmp_path / "a")
    assert {file.name for file in folder.iterdir()} == FILES
    environment = yaml.safe_load((folder / "conda.yaml").read_text())
    assert environment["dependencies"][-1] == {"pip": [Environment.here().requirement]}
    code, said, _ = command("init", "--list")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == list(TEMPLATES)


@pytest.mark.parametrize(
    "name", ["two words", "数据 ünï 🎈", "it's", 'a "b" \\n', "true", "1e-4", "{{ name }}", "- x", "%x", "a, b]"]
)
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_project_of_any_name_is_called_so(tmp_path, command, name, template):
    folder = written(command, tmp_path / name, "--template", template)
    config = load_study_file(folder / "study.yaml").config
    assert (config.name, config.register_as) == (name, name)
    assert yaml.safe_load((folder / "MLproject").read_text())["name"] == name
    assert (folder / "study.schema.json").read_text() == schema_text()


def written(command, folder, *options):
    code, _, err = command("init", folder, *options)
    assert (code, err) == (0, "")
    return folder


def test_an_empty_folder_or_repository_is_taken_by_its_own_name(tmp_path, command, monkeypatch):
    folder = tmp_path / "cloned"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    code, said, _ = command("init", ".")
    assert code == 0
    assert "mlflow run . --env-manager local --experiment-name cloned\n" in said
    assert load_study_file("study.yaml").config.name == "cloned"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name the folder of the new project"),
        (["new", "--template", "clasification"], "got 'clasification'. Did you mean 'classification'?"),
        (["new", "--template", "x"], "--template is one of classification, images, regression-pipeline; got 'x'."),
        (["full"], "the folder full is not empty (mine.txt is there)"),
        (["full/mine.txt"], "full/mine.txt is a file; name a new folder."),
        (["full/mine.txt/new"], "full/mine.txt/new"),
        (["a:b"], "without '/', ':' and '#'; got 'a:b'."),
        (["a#b"], "got 'a#b'."),
        (["a\nb"], r"got 'a\nb'."),
        (["x" * 201], "at most 200 characters"),
        (["/"], "got ''."),
    ],
)
def test_what_cannot_be_a_project_is_refused_and_nothing_written(tmp_path, command, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    code, said, err = command("init", *arguments)
    assert (code, said) == (2, "")
    assert message in err
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "full", tmp_path / "full" / "mine.txt"]


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "mlflow-hpo~=0.1.0"),
        ({"url": "file:///src/my%20hpo", "dir_info": {"editable": True}}, "-e file:///src/my%20hpo"),
        ({"url": "file:///src/hpo", "dir_info": {}}, "mlflow-hpo @ file:///src/hpo"),
        (
            {"url": "https://host/hpo.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            "mlflow-hpo @ git+https://host/hpo.git@c0ffee",
        ),
    ],
)
def test_the_environment_gets_mlflow_hpo_from_where_it_was_installed(tmp_path, origin, requirement):
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: mlflow-hpo\nVersion: 0.1.0\n")
    if origin is not None:
        (tmp_path / "direct_url.json").write_text(json.dumps(origin))
    assert requirement_of(Distribution.at(tmp_path)) == requirement


def test_where_it_was_not_installed_the_environment_gets_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert Environment.here().requirement == f"-e {CHECKOUT.as_uri()}"
