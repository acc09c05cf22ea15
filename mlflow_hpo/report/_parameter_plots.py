"""What the parameters did: their importance, and each against the score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._axis import ParameterAxis, jittered
from mlflow_hpo.report._canvas import Plot, dress, trial_links
from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._importance import Importance
from mlflow_hpo.report._score_axis import beyond_note, mark_best, score_axis
from mlflow_hpo.report._scores import ScoreScale, score_scale
from mlflow_hpo.report._values import shorten, show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
_MOST_BARS = 15
_MOST_LINKED = 300
_MOST_BINS = 8
_LEAST_IN_BIN = 12


def importance_plot(importance: Importance) -> Plot:
    """Return the bars of importance."""
    bars = importance.shares[:_MOST_BARS]
    return Plot(
        "parameter_importance", "Parameter importance", 420, 66 + 26 * len(bars), partial(_draw_bars, bars=bars)
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


def _draw_slice(figure: Figure, study: StudyFacts, axis: ParameterAxis, scale: ScoreScale) -> None:
    axes = figure.subplots()
    trials = study.scored
    many = len(trials) > _MOST_LINKED
    axes.scatter([jittered(axis, trial) for trial in trials], [scale.clip(trial.score or 0.0) for trial in trials],
                 s=8 if many else 22, color=theme.BLUE, alpha=0.35 if many else 0.62, linewidths=0, clip_on=False,
                 urls=None if many else trial_links(trial.number for trial in trials))  # fmt: skip
    _draw_medians(axes, trials, axis, scale)
    score_axis(axes, scale)
    if study.best is not None:
        mark_best(axes, jittered(axis, study.best), study.best, scale)
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
