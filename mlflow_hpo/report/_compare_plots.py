"""The plots of a comparison: the best so far of each study, by trial and by time, and the spread of their scores."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._canvas import Plot, dress
from mlflow_hpo.report._facts import StudyFacts
from mlflow_hpo.report._score_axis import beyond_note, score_axis
from mlflow_hpo.report._scores import ScoreScale, best_so_far, score_scale
from mlflow_hpo.report._values import shorten, time_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = ("blue", "vermillion", "green", "purple", "orange", "sky", "ink")
_DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (4, 1)), (0, (1, 1)), (0, (9, 3)))
_MOST_DOTS = 500


def study_color(index: int) -> str:
    """Return the theme's name of the colour of a study."""
    return _COLORS[index]


def comparison_plots(studies: Sequence[StudyFacts], labels: Sequence[str]) -> list[Plot]:
    """Return the plots of studies that rank by the same metric."""
    scored = [study for study in studies if study.scored]
    reached = [score for study in scored for score in best_so_far(study, study.scored)]
    if not reached:
        return []
    greater = scored[0].greater_is_better
    lines = score_scale(reached, greater_is_better=greater)
    dots = score_scale([trial.score for study in scored for trial in study.scored if trial.score is not None],
                       greater_is_better=greater)  # fmt: skip
    return [
        Plot("compared_by_trial", "Best score by trial", 420, 290,
             partial(_draw_lines, studies=studies, scale=lines, by_time=False),
             caption="A study that ends earlier ends in a dot." + beyond_note(lines)),
        Plot("compared_by_time", "Best score by wall time", 420, 290,
             partial(_draw_lines, studies=studies, scale=lines, by_time=True),
             caption="Time since each study began."),
        Plot("compared_spread", "Scores of all trials", 880, 76 + 40 * len(studies),
             partial(_draw_spread, studies=studies, labels=labels, scale=dots),
             caption="A dot is a trial, the upright bar the median, the diamond the best." + beyond_note(dots)),
    ]  # fmt: skip


def _draw_lines(figure: Figure, studies: Sequence[StudyFacts], scale: ScoreScale, by_time: bool) -> None:
    axes = figure.subplots()
    unit, size = time_unit(max(study.seconds for study in studies))
    for index, study in enumerate(studies):
        trials = sorted(study.scored, key=lambda trial: trial.end_ms or 0) if by_time else study.scored
        if not trials:
            continue
        places = [((trial.end_ms or 0) - study.start_ms) / 1000 / size if by_time else trial.number for trial in trials]
        scores = [scale.clip(score) for score in best_so_far(study, trials)]
        color = theme.SERIES[index]
        axes.step(places, scores, where="post", color=color, linewidth=2, linestyle=_DASHES[index])
        axes.scatter(places[-1:], scores[-1:], s=30, color=color, zorder=4, clip_on=False)
    score_axis(axes, scale)
    xlabel = f"Time since the study began ({unit})" if by_time else "Trial"
    dress(axes, xlabel=xlabel, ylabel=shorten(_metric(studies), 30))
    axes.set_xlim(left=0)


def _draw_spread(figure: Figure, studies: Sequence[StudyFacts], labels: Sequence[str], scale: ScoreScale) -> None:
    axes = figure.subplots()
    for place, study in enumerate(studies):
        scores = [scale.clip(trial.score) for trial in study.scored if trial.score is not None]
        if not scores:
            continue
        color = theme.SERIES[place]
        shaken = random.Random(place)
        shown = scores if len(scores) <= _MOST_DOTS else shaken.sample(scores, _MOST_DOTS)
        axes.scatter(shown, [place + shaken.uniform(-0.2, 0.2) for _ in shown], s=16, color=color, alpha=0.5,
                     linewidths=0, clip_on=False)  # fmt: skip
        axes.vlines(float(np.median(scores)), place - 0.34, place + 0.34, color=theme.INK, linewidth=2.2)
        if study.best is not None and study.best.score is not None:
            axes.scatter([scale.clip(study.best.score)], [place], marker="D", s=64, color=color, zorder=4,
                         edgecolors=theme.SURFACE, linewidths=1.4, clip_on=False)  # fmt: skip
    score_axis(axes, scale, "x")
    dress(axes, xlabel=shorten(_metric(studies), 60), grid="x")
    axes.set_yticks(range(len(studies)), [shorten(label, 30) for label in labels], color=theme.INK)
    axes.set_ylim(len(studies) - 0.4, -0.6)


def _metric(studies: Sequence[StudyFacts]) -> str:
    return next((study.metric for study in studies if study.best is not None and study.metric), "score")
