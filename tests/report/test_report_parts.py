"""The parts that decide what a report says: axes, scales, importance, colours."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import numpy as np
import pytest
from report_studies import BEGIN

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._axis import parameter_axes
from mlflow_hpo.report._canvas import Plot, to_png, to_svg
from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._importance import parameter_importance
from mlflow_hpo.report._scores import best_so_far, score_scale


def study_of(
    params: list[dict[str, str]], scores: list[float], space: dict[str, str] | None = None, greater: bool = True
) -> StudyFacts:
    trials = [
        TrialFacts(number, str(number), "FINISHED", one, {"score": score}, score, BEGIN, BEGIN + 1, None)
        for number, (one, score) in enumerate(zip(params, scores, strict=True))
    ]
    return StudyFacts(
        run_id="study",
        experiment_id="1",
        name="study",
        status="FINISHED",
        tracking_uri="sqlite:///mlflow.db",
        tags={},
        params={f"space.{name}": text for name, text in (space or {}).items()},
        metric="score",
        greater_is_better=greater,
        start_ms=BEGIN,
        end_ms=BEGIN + 10,
        read_ms=BEGIN + 10,
        trials=trials,
        best=None,
        model_id=None,
    )


def axis_of(values: list[str | None], space: str = ""):
    params = [{} if value is None else {"p": value} for value in values]
    (axis,) = parameter_axes(study_of(params, [0.0] * len(values), {"p": space}))
    return axis


def test_names_lie_in_a_row():
    axis = axis_of(["b", "a", "b", "None"])
    assert axis.is_categorical
    assert [label for _, label in axis.ticks] == ["a", "b", "None"]
    assert [round(axis.positions[number], 3) for number in range(4)] == [0.5, 0.167, 0.5, 0.833]


def test_many_names_are_gathered():
    axis = axis_of([f"name {number:02d}" for number in range(30)] + ["name 29"] * 5)
    assert len(axis.ticks) == 10
    assert axis.ticks[-1][1] == "other"
    assert axis.distinct == 30


@pytest.mark.parametrize(
    ("values", "space", "is_log"),
    [
        (["0.001", "0.5", "0.9"], "loguniform(0.001, 1)", True),
        (["0.001", "0.5", "0.9"], "Real(low=0.001, high=1, prior='log-uniform', transform='normalize')", True),
        (["0.001", "0.5", "0.9"], "uniform(0, 1)", False),
        (["0.001", "0.01", "0.1"], "[0.001, 0.01, 0.1]", True),
        (["16", "32", "64"], "[16, 32, 64]", True),
        (["10", "20", "30"], "[10, 20, 30]", False),
        (["0", "0.1", "10"], "loguniform", False),
    ],
)
def test_numbers_lie_on_the_scale_of_their_space(values, space, is_log):
    axis = axis_of(values, space)
    assert (axis.is_log, axis.is_categorical) == (is_log, False)
    places = [axis.positions[number] for number in range(len(values))]
    assert (places[0], places[-1]) == (0, 1)
    assert places == sorted(places)


def test_what_is_no_number_has_a_place_below_the_numbers():
    axis = axis_of([None, "None", *(str(number / 7) for number in range(20))])
    labels = [label for _, label in axis.ticks]
    assert labels[:2] == ["None", "not set"]
    assert axis.positions[1] == 0 < axis.positions[0] < axis.begin == axis.positions[2]


def test_a_parameter_that_never_differs_has_no_axis():
    assert parameter_axes(study_of([{"p": "1"}, {"p": "1"}], [0.0, 1.0])) == []


@pytest.mark.parametrize(
    "values", [["1e-300", "1e300"], ["-5", "5"], ["1", "2"], ["0", "1e-12"], ["123456789", "123456790"]]
)
def test_extreme_numbers_have_axes_and_ticks(values):
    axis = axis_of(values)
    assert axis.ticks
    assert all(0 <= place <= 1 for place, _ in axis.ticks)


@pytest.mark.parametrize("greater", [True, False])
def test_the_good_end_of_a_score_axis_is_never_cut(greater):
    usual = np.random.default_rng(0).normal(size=200)
    sign = 1 if greater else -1
    hopeless = score_scale([*usual, -sign * 1e9], greater_is_better=greater)
    assert hopeless.beyond == 1
    assert hopeless.high - hopeless.low < 20
    splendid = score_scale([*usual, sign * 1e9], greater_is_better=greater)
    assert splendid.clip(sign * 1e9) == sign * 1e9


@pytest.mark.parametrize("scores", [[0.5], [0.0, 0.0], [-1e300, 1e300], [1e-300, 1.0], [3.0, 3.0, 3.0, 9.0]])
@pytest.mark.parametrize("greater", [True, False])
def test_a_score_axis_has_width(scores, greater):
    scale = score_scale(scores, greater_is_better=greater)
    assert scale.low < scale.high
    assert all(scale.low <= scale.clip(score) <= scale.high for score in scores)


def test_best_so_far_goes_one_way():
    scores = [0.3, 0.5, 0.2, 0.6]
    for greater, expected in [(True, [0.3, 0.5, 0.5, 0.6]), (False, [0.3, 0.3, 0.2, 0.2])]:
        study = study_of([{}] * 4, scores, greater=greater)
        assert best_so_far(study, study.trials) == expected


def test_importance_finds_what_matters_and_says_how_sure_it_is():
    rng = random.Random(0)
    params = [{"much": repr(rng.random()), "none": repr(rng.random()), "kind": rng.choice("ab")} for _ in range(80)]
    scores = [float(one["much"]) + (0.2 if one["kind"] == "a" else 0) for one in params]
    study = study_of(params, scores)
    found = parameter_importance(study, parameter_axes(study))
    assert [name for name, _, _ in found.shares] == ["much", "kind", "none"]
    assert sum(share for _, share, _ in found.shares) == pytest.approx(1)
    assert found.explained > 0.8
    assert found == parameter_importance(study, parameter_axes(study))
    noise = study_of(params, [rng.random() for _ in params])
    assert parameter_importance(noise, parameter_axes(noise)).explained < 0.2


def test_importance_is_not_told_where_nothing_can_be_known():
    params = [{"p": str(i), "q": str(i % 3)} for i in range(20)]
    few = study_of(params[:9], [float(i) for i in range(9)])
    same = study_of(params, [1.0] * 20)
    one = study_of([{"p": str(i)} for i in range(20)], [float(i) for i in range(20)])
    for study in (few, same, one):
        assert parameter_importance(study, parameter_axes(study)) is None


def plain_plot() -> Plot:
    def draw(figure):
        axes = figure.subplots()
        axes.scatter([1, 2], [1, 2], color=theme.BLUE, urls=["#trial-1", "#trial-2"])
        axes.set_xlabel("<&> $x$", color=theme.MUTED)

    return Plot("plain", 'A "plain" plot', 200, 100, draw, tooltips={1: "<one>"})


def test_a_drawing_takes_its_colours_from_the_page():
    svg = to_svg(plain_plot())
    assert svg.startswith('<svg viewBox="0 0 200 100" role="img" aria-label="A &quot;plain&quot; plot">')
    assert "var(--blue)" in svg
    assert theme.BLUE not in svg
    assert '<a href="#trial-1"><title>&lt;one&gt;</title>' in svg
    assert '<a href="#trial-2"><title>Trial 2</title>' in svg
    assert "&lt;&amp;&gt; $x$" in svg
    assert "DejaVu" not in svg
    assert svg == to_svg(plain_plot())


def test_a_plot_is_a_file_too():
    assert to_png(plain_plot()).startswith(b"\x89PNG")


def test_drawing_leaves_matplotlib_as_it_was():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    to_svg(plain_plot())
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(dark):
    colors = dict(re.findall(r"--([\w-]+): (#\w+);", theme.css_variables(dark=dark)))
    for name in ("ink", "muted", "blue", "vermillion"):
        assert contrast(colors[name], colors["surface"]) >= (4.5 if name in ("ink", "muted", "blue") else 3), name


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by WCAG 2."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_drawing_libraries_wait_until_something_is_drawn():
    code = (
        "import sys, mlflow_hpo.report;"
        "print(*{'matplotlib', 'jinja2.environment', 'sklearn', 'tensorflow'} & set(sys.modules) - set(before))"
    )
    code = "import sys, mlflow; before = set(sys.modules); " + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "matplotlib" not in done.stdout
    assert "tensorflow" not in done.stdout
