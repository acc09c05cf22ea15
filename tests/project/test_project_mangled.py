"""However a study file is mangled, the answer is a study or a worded mistake."""

from __future__ import annotations

import copy

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_hpo.core.errors import StudyFileError
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


def answer(place, text):
    """Return the search, or the mistake as it is worded; anything else is raised."""
    file = place / "study.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return build_search(prepare(load_study_file(file)))
    except StudyFileError as error:
        return str(error)


def paths(data, prefix=()):
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*prefix, key)
        yield from paths(value, (*prefix, key))


PATHS = list(paths(yaml.safe_load(WHOLE)))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=4), scalars, max_size=3)
quick = settings(max_examples=350, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_file_itself_is_right(place):
    assert not isinstance(answer(place, WHOLE), str)


@quick
@given(st.lists(st.tuples(st.sampled_from(PATHS), values | st.just("DELETE")), min_size=1, max_size=3))
def test_values_replaced_and_deleted(place, changes):
    data = copy.deepcopy(yaml.safe_load(WHOLE))
    for path, value in changes:
        section = data
        for key in path[:-1]:
            section = section[key] if isinstance(section, dict) and key in section else None
        if isinstance(section, dict) and value == "DELETE":
            section.pop(path[-1], None)
        elif isinstance(section, dict):
            section[path[-1]] = value
    found = answer(place, yaml.safe_dump(data, allow_unicode=True))
    assert not isinstance(found, str) or found


edits = st.tuples(
    st.integers(0, len(WHOLE)),
    st.integers(0, 12),
    st.text(alphabet=st.sampled_from("[]{}:,-#&*!|>'\"%@ \n\tax0.é"), max_size=6),
)


@quick
@given(st.lists(edits, min_size=1, max_size=4))
def test_text_cut_and_pasted(place, changes):
    text = WHOLE
    for start, length, inserted in changes:
        text = text[:start] + inserted + text[start + length :]
    found = answer(place, text)
    assert not isinstance(found, str) or found


@quick
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_anything_at_all(place, content):
    file = place / "study.yaml"
    file.write_bytes(content)
    with pytest.raises(StudyFileError):
        load_study_file(file)
