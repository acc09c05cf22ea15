"""However a study file is mangled, the answer is a study or a worded mistake, and no run is left running.

The examples of hypothesis are derandomised: they are the same ones each time.
"""

from __future__ import annotations

import copy
import os
import random
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_hpo.core.errors import HPOError
from mlflow_hpo.project.launch import build_search
from mlflow_hpo.project.prepare import prepare
from mlflow_hpo.project.study_file import load_study_file

WHOLE = """\
name: irises
estimator: sklearn.neural_network:MLPClassifier
data: {csv: d.csv, target: y, drop: [z], separator: ","}
task: classification
space:
  alpha: {real: [1e-4, 1e-1], prior: log, grid: [0.001, 0.01]}
  max_iter: {integer: [5, 20], steps: 2}
  activation: {categories: [relu, tanh]}
  solver: {fixed: adam}
  tol: {distribution: uniform, args: {loc: 0.1, scale: 2}, grid: [0.1]}
strategy: random
trials: 4
initial_points: 2
cv: {folds: 2, splitter: group, groups: g, shuffle: true}
scoring: [accuracy, f1_macro]
decide_by: f1_macro
fit: {batch_size: 8}
seed: 3
n_jobs: 1
log_models: best_fold
keep_best: 2
register_as: iris
alias: champion
resume: true
tags: {team: a}
"""
ROWS = "a,z,g,y\n" + "".join(f"{i},0,{i % 4},{i % 2}\n" for i in range(16))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("mangled")
    (path / "d.csv").write_text(ROWS)
    return path


def answer(place, content):
    """Return the search, or the mistake as it is worded; anything else is raised."""
    file = place / "study.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    try:
        return build_search(prepare(load_study_file(file)))
    except HPOError as error:
        return check_worded(str(error))


def check_worded(message):
    lines = message.splitlines()
    assert "study.yaml" in lines[0]
    assert "Traceback" not in message
    assert len(lines) <= 11
    assert max(map(len, lines)) < 2000
    return message


def paths(data, prefix=()):
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*prefix, key)
        yield from paths(value, (*prefix, key))


PATHS = list(paths(yaml.safe_load(WHOLE)))
NASTY = [
    "",
    " ",
    "a\u202eb",
    "\x1b[2J",
    "é" * 400,
    "../..",
    "/",
    "*",
    "-1",
    "1e400",
    "0x10",
    "nan",
    "~",
    "no",
    "=",
    "<<",
    "{C}",
]
HUGE = [10**400, -(10**20), 2**63, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(HUGE) | st.sampled_from(NASTY)
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def quick(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def test_the_file_itself_is_right(place):
    assert not isinstance(answer(place, WHOLE), str)


def replace(section, key, value):
    section[key] = value


def delete(section, key, _):
    section.pop(key)


def rename(section, key, value):
    section[f"{key}{value}"[1:]] = section.pop(key)


def nest(section, key, _):
    section[key] = [{str(key): section[key]}]


def say_as_text(section, key, _):
    section[key] = str(section[key])


def swap(section, key, _):
    other = next(iter(section))
    section[key], section[other] = section[other], section[key]


CHANGES = [replace, replace, replace, delete, rename, nest, say_as_text, swap]


def changed(data, changes):
    for path, change, value in changes:
        section = data
        for key in path[:-1]:
            section = section.get(key) if isinstance(section, dict) else None
        if isinstance(section, dict) and path[-1] in section:
            change(section, path[-1], value)
    return data


@quick(500)
@given(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(CHANGES), values), min_size=1, max_size=3))
def test_keys_and_values_changed(place, changes):
    data = changed(copy.deepcopy(yaml.safe_load(WHOLE)), changes)
    answer(place, yaml.safe_dump(data, allow_unicode=True, sort_keys=False))


BOMB = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]"
SNIPPETS = [
    "!!python/object/apply:os.system [touch pwned]", "!!python/name:os.system", "!!binary aGk=", "!own x", "&a", "*a",
    "<<: *a", BOMB, "---", "...", "%YAML 9.9", "\t", "\x00", "\x85", "\ufeff", "\ud800", "|", ">-", "? [a]: b", "- x",
    "{" * 99, "[" * 2000,
    "'", '"', '"\\u12', "#", "@", "`", "\r\n", "é" * 99, "9" * 5000, "a: b: c", ": ", "space: {C: 1}",
]  # fmt: skip
LINES = WHOLE.splitlines()
edits = st.tuples(
    st.integers(0, len(WHOLE)),
    st.integers(0, 12),
    st.sampled_from(SNIPPETS) | st.text("[]{}:,-#&*!|>'\"%@ \n\tax0.é", max_size=6),
)


@quick(300)
@given(st.lists(edits, min_size=1, max_size=3), st.none() | st.integers(0, len(WHOLE)))
def test_text_cut_pasted_and_truncated(place, changes, length):
    text = WHOLE
    for start, removed, inserted in changes:
        text = text[:start] + inserted + text[start + removed :]
    answer(place, text[:length])
    assert not (place / "pwned").exists()


def drop(lines, index, _):
    del lines[index]


def double(lines, index, _):
    lines.insert(index, lines[index])


def move(lines, index, other):
    lines.insert(other % len(lines), lines.pop(index))


def indent(lines, index, other):
    lines[index] = " " * (other % 4) + lines[index].lstrip()


places = st.integers(0, len(LINES) - 4)  # three lines may have gone before


@quick(200)
@given(st.lists(st.tuples(st.sampled_from([drop, double, move, indent]), places, places), min_size=1, max_size=3))
def test_lines_dropped_doubled_and_moved(place, changes):
    lines = list(LINES)
    for change, index, other in changes:
        change(lines, index, other)
    answer(place, "\n".join(lines))


@quick(200)
@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(32, 126) | st.integers(0, 255)), min_size=1, max_size=3
    )
)
def test_bytes_changed(place, changes):
    content = bytearray(WHOLE.encode())
    for index, byte in changes:
        content[index] = byte
    answer(place, bytes(content))


@quick(200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_anything_at_all(place, content):
    assert isinstance(answer(place, content), str)


def mangled(seed):
    """Return a file with a mistake that no luck makes right."""
    draw = random.Random(seed)
    line = draw.randrange(len(LINES))
    place = draw.randrange(len(LINES[line]))
    broken = draw.choice([": {", "\t!x ", "*a", "\x01", "['", ": &b *b", "\n- -"])
    return "\n".join([*LINES[:line], LINES[line][:place] + broken + LINES[line][place:], *LINES[line + 1 :]])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_mangled_file_ends_the_run_of_mlflow_run_failed(place, store, seed):
    from mlflow import MlflowClient

    client = MlflowClient(store)
    run_id = client.create_run("0").info.run_id
    assert client.get_run(run_id).info.status == "RUNNING"
    (place / "study.yaml").write_text(mangled(seed), encoding="utf-8")
    command = [sys.executable, "-m", "mlflow_hpo", "run", str(place / "study.yaml")]
    environment = {**os.environ, "MLFLOW_RUN_ID": run_id}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    check_worded(done.stderr)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["mlflow_hpo.error"] in done.stderr
    assert len(client.search_runs(["0"], "attributes.status = 'RUNNING'")) == 0
