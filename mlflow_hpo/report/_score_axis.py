"""The axis of scores that the plots of a study share, and the mark of its best trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._canvas import trial_links
from mlflow_hpo.report._facts import TrialFacts
from mlflow_hpo.report._scores import ScoreScale
from mlflow_hpo.report._values import show_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def score_axis(axes: Axes, scale: ScoreScale, which: str = "y") -> None:
    """Give an axis the range and the ticks of the scores."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axis = axes.yaxis if which == "y" else axes.xaxis
    (axes.set_yscale if which == "y" else axes.set_xscale)("log" if scale.is_log else "linear")
    (axes.set_ylim if which == "y" else axes.set_xlim)(scale.low, scale.high)
    if scale.is_log:
        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: show_tick(value)))
    else:
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))


def mark_best(axes: Axes, place: float, best: TrialFacts, scale: ScoreScale) -> None:
    """Mark the best trial."""
    if best.score is not None:
        axes.scatter(
            [place],
            [scale.clip(best.score)],
            s=70,
            marker="D",
            color=theme.VERMILLION,
            edgecolors=theme.SURFACE,
            linewidths=1.4,
            zorder=5,
            clip_on=False,
            urls=trial_links([best.number]),
        )


def beyond_note(scale: ScoreScale, what: str = "trial") -> str:
    """Return the sentence that says how many scores lie beyond an axis."""
    if not scale.beyond:
        return ""
    they_lie = f"1 {what} lies" if scale.beyond == 1 else f"{scale.beyond} {what}s lie"
    return f" {they_lie} beyond the axis, drawn at its edge."
