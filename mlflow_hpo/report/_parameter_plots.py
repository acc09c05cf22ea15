"""What the parameters did: importance, parallel coordinates, each parameter against the score."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._axis import ParameterAxis
from mlflow_hpo.report._canvas import Plot, dress, trial_links
from mlflow_hpo.report._importance import Importance
from mlflow_hpo.report._progress_plots import beyond_note, mark_best, score_axis
from mlflow_hpo.report._read import StudyFacts, TrialFacts
from mlflow_hpo.report._scores import ScoreScale, score_scale
from mlflow_hpo.report._values import shorten, show_number, show_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
MOST_AXES = 8
_MOST_BARS = 15
_MOST_LINKED = 300
_MOST_BINS = 8
_LEAST_IN_BIN = 12
_JITTER = 0.5  # of a category's width
_NUMBER_JITTER = 0.035


def importance_plot(importance: Importance) -> Plot:
    """Return the bars of importance."""
    bars = importance.shares[:_MOST_BARS]
    return Plot(
        "parameter_importance", "Parameter importance", 420, 66 + 26 * len(bars), partial(_draw_bars, bars=bars)
    )


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
        caption=f"A line is a trial: the darker and stronger, the better its rank; the best is orange.{rest}",
    )


def slice_plots(study: StudyFacts, axes: Sequence[ParameterAxis], tooltips: Mapping[int, str]) -> list[Plot]:
    """Return each parameter against the score."""
    if len(study.scored) < 2:
        return []
    scale = score_scale([trial.score for trial in study.scored if trial.score is not None],
                        greater_is_better=study.greater_is_better)  # fmt: skip
    return [
        Plot(
            f"parameter_{index:02d}",
            axis.label,
            340,
            240,
            partial(_draw_slice, study=study, axis=axis, scale=scale),
            tooltips=tooltips,
        )
        for index, axis in enumerate(axes[:MOST_PANELS])
    ]


def slices_note(study: StudyFacts, n_axes: int) -> str:
    """Return what to know when reading the plots of `slice_plots`."""
    scale = score_scale([trial.score for trial in study.scored if trial.score is not None] or [0.0],
                        greater_is_better=study.greater_is_better)  # fmt: skip
    rest = f" Of {n_axes} parameters the first {MOST_PANELS} are shown." if n_axes > MOST_PANELS else ""
    return f"A dot is a trial, a bar the median of its neighbours or of its category.{rest}{beyond_note(scale)}"


def slices_plot(plots: Sequence[Plot]) -> Plot | None:
    """Return all plots of `slice_plots` on one sheet, for a file."""
    if not plots:
        return None
    columns = min(3, len(plots))
    rows = -(-len(plots) // columns)
    return Plot("parameters", "Each parameter against the score", 340.0 * columns, 250.0 * rows,
                partial(_draw_sheet, plots=plots, rows=rows, columns=columns))  # fmt: skip


def _draw_sheet(figure: Figure, plots: Sequence[Plot], rows: int, columns: int) -> None:
    cells = figure.subfigures(rows, columns, squeeze=False).ravel()
    for cell, plot in zip(cells, plots, strict=False):
        plot.draw(cell)


def _draw_bars(figure: Figure, bars: Sequence[tuple[str, float, float]]) -> None:
    axes = figure.subplots()
    places = range(len(bars))
    shares = [share for _, share, _ in bars]
    axes.barh(places, shares, height=0.58, color=theme.BLUE)
    ends = [(max(share - spread, 0), min(share + spread, 1)) for _, share, spread in bars]
    axes.hlines(places, *zip(*ends, strict=True), color=theme.MUTED, linewidth=1.2)
    for place, share, (_, end) in zip(places, shares, ends, strict=True):
        axes.annotate(f"{share:.0%}", (max(share, end), place), (6, 0), textcoords="offset points", va="center",
                      color=theme.INK, fontsize=10.5)  # fmt: skip
    dress(axes, xlabel="Share of all importance", grid="x")
    axes.set_yticks(list(places), [shorten(name, 26) for name, _, _ in bars], color=theme.INK)
    axes.invert_yaxis()
    axes.set_xlim(0, max(0.1, *(end for _, end in ends)) * 1.14)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 1])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines["bottom"].set_visible(False)


def _draw_parallel(figure: Figure, study: StudyFacts, axes: Sequence[ParameterAxis]) -> None:
    canvas = figure.subplots()
    scale = score_scale([trial.score for trial in study.scored if trial.score is not None],
                        greater_is_better=study.greater_is_better)  # fmt: skip
    ranked = [trial for trial in reversed(study.ranked) if trial.is_scored]  # the best is drawn last, on top
    points = np.array([[*(_jittered(axis, trial) for axis in axes), _height(scale, trial)] for trial in ranked])
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


def _jittered(axis: ParameterAxis, trial: TrialFacts) -> float:
    """Return a trial's place on an axis, moved a little within its category: many lie on one spot."""
    place = axis.positions[trial.number]
    if axis.is_categorical:
        width = _JITTER / len(axis.ticks)
    else:
        width = _NUMBER_JITTER if axis.distinct <= _MOST_BINS or place < axis.begin else 0.0
    return place + width * (random.Random(trial.number).random() - 0.5)


def _draw_slice(figure: Figure, study: StudyFacts, axis: ParameterAxis, scale: ScoreScale) -> None:
    axes = figure.subplots()
    trials = study.scored
    many = len(trials) > _MOST_LINKED
    axes.scatter([_jittered(axis, trial) for trial in trials], [scale.clip(trial.score or 0.0) for trial in trials],
                 s=8 if many else 22, color=theme.BLUE, alpha=0.35 if many else 0.62, linewidths=0, clip_on=False,
                 urls=None if many else trial_links(trial.number for trial in trials))  # fmt: skip
    _draw_medians(axes, trials, axis, scale)
    score_axis(axes, scale)
    if study.best is not None:
        mark_best(axes, _jittered(axis, study.best), study.best, scale)
    dress(axes, xlabel=axis.label, ylabel=shorten(study.metric or "score", 28))
    ticks = _spread_labels(axis)
    axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
    if axis.is_categorical and sum(len(label) + 2 for _, label in ticks) > 38:
        axes.tick_params(axis="x", labelrotation=28)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    axes.set_xlim(-0.04, 1.04)


def _spread_labels(axis: ParameterAxis) -> list[tuple[float, str]]:
    return [(place, shorten(label, 14)) for place, label in axis.ticks]


def _draw_medians(axes: Axes, trials: Sequence[TrialFacts], axis: ParameterAxis, scale: ScoreScale) -> None:
    groups: defaultdict[float, list[float]] = defaultdict(list)
    for trial in trials:
        groups[axis.positions[trial.number]].append(scale.clip(trial.score or 0.0))
    half = 0.36 / len(axis.ticks) if axis.is_categorical else 0.035
    few = axis.is_categorical or len(groups) <= _MOST_BINS
    single = {place: scores for place, scores in groups.items() if few or place < axis.begin}
    spans = [(place - half, place + half, scores) for place, scores in single.items() if len(scores) > 1]
    spans += _neighbours({place: scores for place, scores in groups.items() if place not in single})
    for left, right, scores in spans:
        axes.hlines(float(np.median(scores)), left, right, color=theme.INK, linewidth=2)


def _neighbours(groups: Mapping[float, list[float]]) -> list[tuple[float, float, list[float]]]:
    """Return parts of an axis with equally many trials, where they are enough to tell a trend from chance."""
    pairs = sorted((place, score) for place, scores in groups.items() for score in scores)
    n_parts = min(_MOST_BINS, len(pairs) // _LEAST_IN_BIN)
    parts = np.array_split(np.array(pairs), n_parts) if n_parts >= 3 else []
    return [(float(part[0, 0]), float(part[-1, 0]), [float(score) for score in part[:, 1]]) for part in parts]


def importance_note(importance: Importance) -> str:
    """Return what the importance is worth on this study."""
    worth = f"The forest explains {max(importance.explained, 0):.0%} of the spread of scores of trials it had not seen"
    if importance.explained >= 0.5:
        return f"{worth}."
    doubt = "read the bars as a hint" if importance.explained >= 0.15 else "the bars say next to nothing here"
    return f"{worth} (R² {show_number(importance.explained, 2)}): {doubt}."
