from __future__ import annotations

import pickle
import subprocess
import sys

import cloudpickle
import pytest

from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project.prepare._modules import load_function


def test_two_files_of_one_name_do_not_clash(folder):
    folder.write("a/model.py", "def make(): return 'a'")
    folder.write("b/model.py", "def make(): return 'b'")
    first, second = (load_function("model.py:make", folder.path / name) for name in "ab")
    assert (first(), second()) == ("a", "b")
    assert load_function("a/model.py:make", folder.path) is first


def test_equal_files_keep_their_folders_apart(folder):
    for name in "ab":
        folder.write(f"{name}/model.py", "def where(): return __file__")
    first, second = (load_function("model.py:where", folder.path / name) for name in "ab")
    assert first() == str(folder.path / "a" / "model.py")
    assert second() == str(folder.path / "b" / "model.py")


def test_helpers_beside_the_file_can_be_imported_and_do_not_clash(folder):
    for name in "ab":
        folder.write(f"{name}/helper.py", f"NAME = '{name}'")
        folder.write(f"{name}/model.py", f"from helper import NAME  # {name}\ndef make(): return NAME")
    assert [load_function("model.py:make", folder.path / name)() for name in "abab"] == ["a", "b", "a", "b"]


def test_functions_pickle_and_go_to_processes_that_do_not_have_the_file(folder):
    folder.write("helper.py", "def ten(): return 10")
    folder.write("model.py", "import helper\ndef make(): return helper.ten() + 1")
    function = load_function("model.py:make", folder.path)
    assert pickle.loads(pickle.dumps(function))() == 11
    code = "import sys, pickle; print(pickle.loads(sys.stdin.buffer.read())())"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], input=cloudpickle.dumps(function), capture_output=True, cwd="/", check=True
    )
    assert elsewhere.stdout.strip() == b"11"


def test_a_copy_of_a_project_has_functions_of_the_same_name(folder):
    source = "def make(): return 1"
    names = []
    for name in ("clone1", "clone2"):
        folder.write(f"{name}/model.py", source)
        code = (
            "import pathlib, sys; from mlflow_hpo.project.prepare._modules import load_function;"
            "print(load_function('model.py:make', pathlib.Path(sys.argv[1])).__module__)"
        )
        command = [sys.executable, "-c", code, str(folder.path / name)]
        names.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert names[0] == names[1] != ""


def test_packages_beside_the_study_file(folder):
    folder.write("nets/__init__.py", "")
    folder.write("nets/small.py", "def make(): return 'small'")
    assert load_function("nets.small:make", folder.path)() == "small"


def test_installed_packages(folder):
    from sklearn.linear_model import Ridge

    assert load_function("sklearn.linear_model:Ridge", folder.path) is Ridge


@pytest.mark.parametrize(
    ("source", "reference", "message"),
    [
        ("x = 1", "none.py:f", r"none\.py does not exist"),
        ("x = 1", "sub/a.py:f", r"sub/a\.py does not exist"),
        ("def make(): pass", "model.py:maek", r"'maek' is not there in model.py. Did you mean 'make'\? It names: make"),
        ("x = 1", "model.py:x", "'x' is no function in model.py.* It names: nothing that can be called"),
        ("def f(:", "model.py:f", r"model.py cannot be imported: SyntaxError: .* \(model.py, line 1\)"),
        ("\n\nimport nowhere", "model.py:f", r"ModuleNotFoundError: No module named 'nowhere' \(model.py, line 3\)"),
        ("import sys\nsys.exit(3)", "model.py:f", r"model.py cannot be imported: SystemExit: 3 \(model.py, line 2\)"),
        ("1 / 0", "model.py:f", "ZeroDivisionError"),
        ("", "nowhere.at.all:f", "nowhere.at.all cannot be imported: ModuleNotFoundError"),
        ("", "model:f", "'f' is not there in model"),
        ("", ":f", "cannot be imported|names"),
    ],
)
def test_each_mistake_is_worded(folder, source, reference, message):
    folder.write("model.py", source)
    (folder.path / "sub").mkdir()
    with pytest.raises(StudyFileError, match=message):
        load_function(reference, folder.path)
