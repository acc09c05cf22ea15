from __future__ import annotations

import math

import pytest

from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project.study_file._yaml import read_yaml


def read(tmp_path, text):
    file = tmp_path / "s.yaml"
    file.write_text(text, encoding="utf-8")
    return read_yaml(file)


def test_scalars_are_those_of_yaml_1_2(tmp_path):
    text = "a: [1e-4, 1, -2.5, .inf, true, no, on, ~, null, 2024-01-01, 010, '1', 1_000]"
    document = read(tmp_path, text)
    expected = [1e-4, 1, -2.5, math.inf, True, "no", "on", None, None, "2024-01-01", 10, "1", "1_000"]
    assert document.data["a"] == expected
    assert list(map(type, document.data["a"])) == list(map(type, expected))


def test_every_key_and_item_has_its_line(tmp_path):
    document = read(tmp_path, "# comment\na: 1\nb:\n  c:\n    - x\n    - y: 2\n")
    assert document.line(("a",)) == 2
    assert document.line(("b", "c")) == 4
    assert document.line(("b", "c", 0)) == 5
    assert document.line(("b", "c", 1, "y")) == 6
    assert document.line(("b", "missing", "deeper")) == 3


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read(tmp_path, "\ufeffa: 1").data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [ls]", r"line 1: the tag '.*python/object/apply:os.system' is not taken"),
        ("a: !!binary aaaa", "plain data only"),
        ("a: !own 1", "the tag '!own' is not taken"),
        ("a: &x [1]\nb: *x", r"line 2: aliases \(\*name\) are not taken here"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' stands here again, as in line 1"),
        ("a:\n  b: 1\n  b: 2", "line 3: the key 'b' stands here again, as in line 2"),
        ("1: 2", "keys are text; got 1"),
        ("? [a]\n: 1", "keys are text"),
        ("? \n: 1", "keys are text"),
        ("'': 1", "keys are text"),
        ("", "is empty"),
        ("# nothing", "is empty"),
        ("- a\n- b", "a study file is a mapping"),
        ("text", "a study file is a mapping"),
        ("a: [1", "line 1: this is no valid YAML"),
        ("a: b: c", "line 1: this is no valid YAML: mapping values are not allowed here"),
        ("a: 1\n\tb: 2", "line 2: this is no valid YAML"),
        ("a: \x01", "this is no valid YAML"),
        ('a: "\\0"', "a NUL character"),
        ("a: " + "9" * 5000, "cannot be read as int"),
        ("a: !!int x", "cannot be read as int"),
        ("a: !!bool x", "cannot be read as bool"),
        ("a: " + "[" * 30 + "]" * 30, "nested deeper than 20 levels"),
        ("a: " + "[" * 5000, "nested deeper than 20 levels"),
        ("a: 1\n---\nb: 2", "this is no valid YAML"),
    ],
)
def test_each_mistake_is_worded(tmp_path, text, message):
    with pytest.raises(StudyFileError, match=message) as raised:
        read(tmp_path, text)
    assert "s.yaml" in str(raised.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(StudyFileError, match=r"is a directory; name the study file in it, such as .*study\.yaml"):
        read_yaml(tmp_path)
    with pytest.raises(StudyFileError, match="does not exist"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(StudyFileError, match="cannot be read: File name too long"):
        read_yaml(tmp_path / ("x" * 5000))
    (tmp_path / "latin.yaml").write_bytes("a: é".encode("latin-1"))
    with pytest.raises(StudyFileError, match="no text in UTF-8"):
        read_yaml(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_text("#" * 210_000)
    with pytest.raises(StudyFileError, match="larger than 200,000 bytes"):
        read_yaml(tmp_path / "large.yaml")
