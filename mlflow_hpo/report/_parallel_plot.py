"""Parallel coordinates: a line a trial, over the parameters to the score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._axis import ParameterAxis, jittered
from mlflow_hpo.report._canvas import Plot
from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._scores import ScoreScale, score_scale
from mlflow_hpo.report._values import shorten, show_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_AXES = 8


def parallel_plot(study: StudyFacts, axes: Sequence[ParameterAxis]) -> Plot | None:
    """Return the parallel coordinates; None where fewer than two parameters differ."""
    if len(axes) < 2 or len(study.scored) < 2:
        return None
    shown = axes[:MOST_AXES]
    left_out = len(axes) - len(shown)
    rest = f" {left_out} parameters that matter less are left out." if left_out else ""
    return Plot(
        "parallel_coordinates",
        "Parallel coordinates",
        min(1056.0, max(640.0, 150.0 * (len(shown) + 1))),
        350,
        partial(_draw_parallel, study=study, axes=shown),
        caption=f"A line is a trial: the stronger its colour, the better its rank; the best is orange.{rest}",
    )


def _draw_parallel(figure: Figure, study: StudyFacts, axes: Sequence[ParameterAxis]) -> None:
    canvas = figure.subplots()
    scale = score_scale([trial.score for trial in study.scored if trial.score is not None],
                        greater_is_better=study.greater_is_better)  # fmt: skip
    ranked = [trial for trial in reversed(study.ranked) if trial.is_scored]  # the best is drawn last, on top
    points = np.array([[*(jittered(axis, trial) for axis in axes), _height(scale, trial)] for trial in ranked])
    _draw_lines(canvas, points)
    best = next((index for index, trial in enumerate(ranked) if trial is study.best), None)
    if best is not None:
        canvas.plot(points[best], color=theme.VERMILLION, linewidth=2.6, solid_joinstyle="round", zorder=4)
    for place, axis in enumerate(axes):
        _draw_rule(canvas, place, axis.ticks, axis.label)
    _draw_rule(canvas, len(axes), _score_ticks(scale), shorten(study.metric or "score", 40), strong=True)
    canvas.set(xlim=(-0.3, len(axes) + 0.42), ylim=(-0.06, 1.17))
    canvas.axis("off")


def _draw_lines(canvas: Axes, points: np.ndarray) -> None:
    from matplotlib.collections import LineCollection

    levels = len(theme.RAMP)
    segments = [np.column_stack([np.arange(points.shape[1]), row]) for row in points]
    width = 1.5 if len(points) < 100 else 0.9
    for level, color in enumerate(theme.RAMP):
        # The ramp's steps are a half, a quarter, an eighth, ...: few are the best.
        begin = 0 if level == 0 else round(len(points) * (1 - 0.5**level))
        end = len(points) if level == levels - 1 else round(len(points) * (1 - 0.5 ** (level + 1)))
        canvas.add_collection(LineCollection(segments[begin:end], colors=color, linewidths=width, alpha=0.85))


def _draw_rule(
    canvas: Axes, place: int, ticks: Sequence[tuple[float, str]], label: str, *, strong: bool = False
) -> None:
    canvas.plot([place, place], [0, 1], color=theme.INK if strong else theme.MUTED, linewidth=1.4 if strong else 1)
    for height, text in ticks:
        canvas.annotate(text, (place, height), (5, 0), textcoords="offset points", va="center", fontsize=9.5,
                        color=theme.INK, zorder=6,
                        bbox={"boxstyle": "round,pad=0.12", "facecolor": theme.SURFACE, "edgecolor": "none",
                              "alpha": 0.8})  # fmt: skip
    lines = _wrapped(label, 17)
    canvas.annotate("\n".join(lines), (place, 1.05), ha="center", va="bottom", fontsize=10.5, color=theme.INK,
                    fontweight="bold" if strong else "normal", annotation_clip=False)  # fmt: skip


def _wrapped(text: str, width: int) -> list[str]:
    """Return a name on at most two lines, broken behind an underscore or a space where there is one."""
    if len(text) <= width:
        return [text]
    breaks = [index + 1 for index, letter in enumerate(text[:width]) if letter in "_ ."]
    cut = breaks[-1] if breaks else width
    return [text[:cut].rstrip(), shorten(text[cut:], width)]


def _height(scale: ScoreScale, trial: TrialFacts) -> float:
    return _place(scale, scale.clip(trial.score or 0.0))


def _place(scale: ScoreScale, score: float) -> float:
    low, high = np.log10([scale.low, scale.high]) if scale.is_log else (scale.low, scale.high)
    at = np.log10(score) if scale.is_log else score
    return float((at - low) / (high - low))


def _score_ticks(scale: ScoreScale) -> list[tuple[float, str]]:
    from matplotlib.ticker import LogLocator, MaxNLocator

    locator = LogLocator(numticks=6) if scale.is_log else MaxNLocator(nbins=5)
    ticks = [float(tick) for tick in locator.tick_values(scale.low, scale.high)]
    shown = [tick for tick in ticks if scale.low <= tick <= scale.high]
    decimals = 0 if scale.is_log else max((len(f"{tick:.4g}".partition(".")[2]) for tick in shown), default=0)
    plain = not scale.is_log and all("e" not in f"{tick:.4g}" for tick in shown)
    return [(_place(scale, tick), f"{tick:,.{decimals}f}" if plain else show_tick(tick)) for tick in shown]
