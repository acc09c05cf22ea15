"""A plot as data, drawn by matplotlib into an SVG that lives in a page, or into a PNG."""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from mlflow_hpo.report import _theme as theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Matplotlib's settings are the process's.
_DRAWING = threading.Lock()
_POINTS = 72  # so that one unit of the SVG is one point of the figure
_PNG_SCALE = 2.0
_PROLOG = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<style type=\"text/css\">.*?</style>|<!--.*?-->", re.DOTALL)
_SIZE = re.compile(r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>")
# Matplotlib says it in one property or in several, by its version.
_FONT = re.compile(r"font: (?:(\w+) )?([\d.]+)px [^;\"]*")
_FAMILY = re.compile(r"font-family: [^;\"]*(?:; )?")
_ID = re.compile(r" id=\"([^\"]*)\"")
_ID_USED = re.compile(r"(?:href=\"#|url\(#)([\w-]+)")
_LINK = re.compile(r"<a xlink:href=\"#trial-(\d+)\"[^>]*>")
_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a parameter may be called $x$
    "axes.unicode_minus": True,
    "font.size": 11,
    "font.family": ["DejaVu Sans"],
    "path.simplify": True,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.limits": (-4, 6),
}


@dataclass(frozen=True)
class Plot:
    """One picture, not drawn yet.

    Parameters
    ----------
    name : str
        Of its file.
    title : str
        What it shows.
    width, height : float
        In points; its letters have 11.
    draw : callable
        Draws it on a figure.
    caption : str
        What to know when reading it.
    tooltips : mapping of int to str
        What is said of a trial where its mark is pointed at.
    """

    name: str
    title: str
    width: float
    height: float
    draw: Callable[[Figure], None]
    caption: str = ""
    tooltips: Mapping[int, str] = field(default_factory=dict)


def to_svg(plot: Plot) -> str:
    """Return a plot as an SVG element for a page that has the theme's variables, with no font of its own."""
    buffer = io.StringIO()
    with _drawn(plot, {**_SETTINGS, "svg.hashsalt": plot.name, "svg.id": None}) as figure:
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = _LEFT_OUT.sub("", _PROLOG.sub("", buffer.getvalue(), count=1))
    svg = _SIZE.sub(rf'<svg viewBox="\1" role="img" aria-label="{escape(plot.title)}">', svg, count=1)
    svg = _FONT.sub(lambda match: f"font-size:{match[2]}px" + (f";font-weight:{match[1]}" if match[1] else ""), svg)
    svg = _FAMILY.sub("", svg)
    used = set(_ID_USED.findall(svg))
    svg = _ID.sub(lambda match: match[0] if match[1] in used else "", svg)
    svg = _LINK.sub(lambda match: _link(int(match[1]), plot.tooltips), svg)
    return theme.themed(re.sub(r">\s+<", "><", svg)).strip()


def to_png(plot: Plot) -> bytes:
    """Return a plot as a PNG on a light ground."""
    buffer = io.BytesIO()
    with _drawn(plot, _SETTINGS) as figure:
        figure.suptitle(plot.title, x=0.01, ha="left", fontsize=12.5, fontweight="bold", color=theme.INK)
        figure.savefig(buffer, format="png", dpi=_POINTS * _PNG_SCALE, facecolor="white")
    return buffer.getvalue()


def dress(axes: Axes, *, xlabel: str = "", ylabel: str = "", grid: str = "y") -> None:
    """Give a pair of axes the report's plain looks.

    Parameters
    ----------
    axes : Axes
    xlabel, ylabel : str
    grid : {"x", "y", "both", ""}
        Which ticks have lines.
    """
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=theme.AXIS, linewidth=0.8)
    if grid == "y":
        axes.spines["left"].set_visible(False)
    axes.tick_params(colors=theme.MUTED, length=0, labelsize=10.5, pad=5)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=theme.GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_xlabel(xlabel, color=theme.MUTED, fontsize=10.5, labelpad=5)
    axes.set_ylabel(ylabel, color=theme.MUTED, fontsize=10.5, labelpad=6)


def trial_links(numbers: Any) -> list[str]:
    """Return, for the marks of trials, where in the page they lead."""
    return [f"#trial-{number}" for number in numbers]


def _link(number: int, tooltips: Mapping[int, str]) -> str:
    text = tooltips.get(number, f"Trial {number}")
    return f'<a href="#trial-{number}"><title>{escape(text)}</title>'


@contextmanager
def _drawn(plot: Plot, settings: Mapping[str, Any]) -> Iterator[Figure]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    known: Any = {name: value for name, value in settings.items() if name in mpl.rcParams}
    with _DRAWING, mpl.rc_context(known), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has the fonts
        figure = Figure(figsize=(plot.width / _POINTS, plot.height / _POINTS), dpi=_POINTS, layout="constrained")
        plot.draw(figure)
        yield figure
