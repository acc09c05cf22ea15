"""Single trials close up: learning curves of the best, and the spread of the best ones over their folds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._canvas import Plot, dress
from mlflow_hpo.report._facts import Curve, StudyFacts, TrialFacts
from mlflow_hpo.report._score_axis import beyond_note, score_axis
from mlflow_hpo.report._scores import ScoreScale, score_scale
from mlflow_hpo.report._values import finite, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TRIALS = 15
_MOST_METRICS = 4
_CURVE_SIZE = (420.0, 275.0)
_LOG_RATIO = 50.0
_LABEL_GAP = 12.0  # points between labels at the ends of lines


def curve_plots(curves: Sequence[Curve]) -> list[Plot]:
    """Return a plot of learning curves for each metric, the loss first."""
    by_metric: defaultdict[str, list[Curve]] = defaultdict(list)
    for curve in curves:
        by_metric[curve.metric].append(curve)
    return [
        Plot(
            f"learning_curve_{re.sub(r'[^a-zA-Z0-9_]', '_', metric)[:60]}",
            f"Learning curve: {shorten(metric, 60)}",
            *_CURVE_SIZE,
            partial(_draw_curves, curves=group, metric=metric),
            caption=_curve_note(group),
        )
        for metric, group in list(by_metric.items())[:_MOST_METRICS]
    ]


def fold_plot(study: StudyFacts) -> Plot | None:
    """Return the scores of the folds of the best trials; None where no trial has more than one fold."""
    trials = [trial for trial in study.ranked if trial.is_scored and len(fold_scores(study, trial)) > 1][:MOST_TRIALS]
    if not trials:
        return None
    rows = [list(fold_scores(study, trial).values()) for trial in trials]
    scale = score_scale([score for row in rows for score in row], greater_is_better=study.greater_is_better)
    return Plot(
        "scores_by_fold",
        "Scores of the folds",
        420,
        66 + 20 * len(trials),
        partial(_draw_folds, study=study, trials=trials, rows=rows, scale=scale),
        caption="A dot is a fold, the upright bar their mean." + beyond_note(scale, "fold"),
    )


def fold_scores(study: StudyFacts, trial: TrialFacts) -> dict[int, float]:
    """Return the score of each fold of a trial, by split."""
    name = re.escape((study.metric or "").removeprefix("mean_"))
    found = ((re.fullmatch(rf"split(\d+)_{name}", key), value) for key, value in trial.metrics.items())
    return {int(match[1]): value for match, value in found if match and finite(value) is not None}


def _curve_note(curves: Sequence[Curve]) -> str:
    several = len({(curve.fold, curve.fit) for curve in curves if not curve.is_refit}) > 1
    refit = any(curve.is_refit for curve in curves)
    note = "Thin lines are folds, the number at their end is the split; thick lines are their mean." if several else ""
    return note + (" Dashed lines are the refit on all data." if refit else "")


def _draw_curves(figure: Figure, curves: Sequence[Curve], metric: str) -> None:
    axes = figure.subplots()
    kinds = [(False, theme.BLUE, "training"), (True, theme.VERMILLION, "validation")]
    ends: list[tuple[float, float, str, str]] = []
    for is_validation, color, label in kinds:
        group = [curve for curve in curves if curve.is_validation is is_validation and not curve.is_refit]
        for curve in curves:
            if curve.is_refit and curve.is_validation is is_validation:
                axes.plot(_epochs(curve), curve.values, color=color, linewidth=1.3, linestyle=(0, (3, 2)))
        if group:
            ends += _draw_group(axes, group, color)
            axes.plot([], [], color=color, linewidth=2.4, label=label)
    values = [value for curve in curves for value in curve.values]
    if min(values) > 0 and max(values) / min(values) > _LOG_RATIO:
        _log_ticks(axes)
    dress(axes, xlabel="Epoch", ylabel=shorten(metric, 30))
    _whole_epochs(axes, max(curve.steps[-1] for curve in curves) + 1)
    _label_ends(axes, ends)
    axes.legend(frameon=False, fontsize=10.5, labelcolor=theme.INK, loc="best", handlelength=1.4)


def _draw_group(axes: Axes, group: Sequence[Curve], color: str) -> list[tuple[float, float, str, str]]:
    """Draw the curves of one kind; return where those of folds end."""
    if len(group) == 1:
        axes.plot(_epochs(group[0]), group[0].values, color=color, linewidth=2.2, marker="o", markersize=3)
        return []
    for curve in group:
        axes.plot(_epochs(curve), curve.values, color=color, linewidth=0.9, alpha=0.55)
    longest = max(group, key=lambda curve: len(curve.steps)).steps
    by_step = [dict(zip(curve.steps, curve.values, strict=True)) for curve in group]
    means = [np.mean([values[step] for values in by_step if step in values]) for step in longest]
    axes.plot([step + 1 for step in longest], means, color=color, linewidth=2.4)
    return [(curve.steps[-1] + 1, curve.values[-1], _short_name(curve), color) for curve in group]


def _short_name(curve: Curve) -> str:
    fold = "" if curve.fold is None else str(curve.fold)
    return f"{fold}.{curve.fit}" if curve.fit else fold or "0"


def _epochs(curve: Curve) -> list[int]:
    """Return the epochs as people count them, from 1."""
    return [step + 1 for step in curve.steps]


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write the split at the end of each line, where there is room for all."""
    if not ends or len(ends) > 10:
        return
    height = _CURVE_SIZE[1] * 0.75  # what the axes have of it, about
    bottom, top = axes.transLimits.inverted().transform([(0, 0), (1, 1)])[:, 1]
    is_log = axes.get_yscale() == "log"
    ranked = sorted(ends, key=lambda end: end[1])
    wanted = [height * ((np.log10(y) if is_log else y) - bottom) / (top - bottom) for _, y, _, _ in ranked]
    for (x, y, name, color), place, moved in zip(ranked, wanted, _apart(wanted, height), strict=True):
        axes.annotate(name, (x, y), (5, moved - place), textcoords="offset points", va="center", fontsize=9,
                      color=color, annotation_clip=False)  # fmt: skip


def _apart(places: Sequence[float], height: float) -> list[float]:
    """Return rising places moved so far that labels there do not touch, and none is above the top."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + _LABEL_GAP) if moved else place)
    ceiling = height
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - _LABEL_GAP
    return moved


def _log_ticks(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from mlflow_hpo.report._values import show_tick

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: show_tick(value)))


def _whole_epochs(axes: Axes, last: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.set_xlim(1 - 0.02 * last, last + 0.05 * last)


def _draw_folds(
    figure: Figure,
    study: StudyFacts,
    trials: Sequence[TrialFacts],
    rows: Sequence[Sequence[float]],
    scale: ScoreScale,
) -> None:
    axes = figure.subplots()
    for place, (trial, row) in enumerate(zip(trials, rows, strict=True)):
        scores = [scale.clip(score) for score in row]
        color = theme.VERMILLION if trial is study.best else theme.BLUE
        axes.hlines(place, min(scores), max(scores), color=theme.AXIS, linewidth=4, capstyle="round")
        axes.scatter(scores, [place] * len(scores), s=24, color=color, alpha=0.75, linewidths=0, zorder=3)
        axes.scatter([scale.clip(trial.score or 0.0)], [place], marker="|", s=150, color=theme.INK, linewidths=2,
                     zorder=4)  # fmt: skip
    score_axis(axes, scale, "x")
    dress(axes, xlabel=shorten(study.metric or "", 50), grid="x")
    labels = [f"Trial {trial.number}" for trial in trials]
    axes.set_yticks(range(len(trials)), labels, color=theme.INK)
    axes.set_ylim(len(trials) - 0.4, -0.6)
