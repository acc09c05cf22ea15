"""The picture beside the table: seconds of each contender, one panel a search."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, Role, with_workers
from benchmarks.records import Records
from benchmarks.searches import SEARCHES

# Okabe and Ito's colours, told apart with any kind of colour vision; the order and the labels say the same.
_COLOURS = {Role.PLAIN: "#D55E00", Role.PEER: "#E69F00", Role.OURS: "#0072B2", Role.FLOOR: "#000000"}
_LEGEND = {
    Role.PLAIN: "plain scikit-learn + scikeras",
    Role.PEER: "other ways to search",
    Role.OURS: "this project",
    Role.FLOOR: "the training steps alone",
}


def write_plot(records: Records, path: Path) -> bool:
    """Draw the picture, if matplotlib is installed and there is something to draw; return whether it was drawn."""
    searches = [name for name in SEARCHES if _n_measured(records, name) > 1]
    if not searches or importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = -(-len(searches) // 2)
    columns = min(2, len(searches))
    figure = Figure(figsize=(7.5 * columns, 4.2 * rows + 0.6), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, search in zip(axes, searches, strict=False):
        _panel(axis, records, search)
    for axis in axes[len(searches) :]:
        axis.set_visible(False)
    handles = [Patch(color=colour, label=_LEGEND[role]) for role, colour in _COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 * columns, frameon=False)
    title = [
        "Seconds a random search takes: 12 candidates, 3 folds, 5 epochs, refit.",
        "Medians; in brackets, how many times as fast as plain.",
    ]
    figure.suptitle((" " if columns > 1 else "\n").join(title))
    figure.savefig(path, dpi=110)
    return True


def _n_measured(records: Records, search: str) -> int:
    return sum(records.median(search, contender.name) is not None for contender in with_workers(1))


def _panel(axis: Any, records: Records, search: str) -> None:
    medians = {contender.name: records.median(search, contender.name) for contender in with_workers(1)}
    seconds = {name: value for name, value in medians.items() if value is not None}
    names = sorted(seconds, key=lambda name: -seconds[name])
    values = [seconds[name] for name in names]
    bars = axis.barh(
        [CONTENDERS[name].title for name in names], values, color=[_COLOURS[CONTENDERS[name].role] for name in names]
    )
    axis.bar_label(bars, [_label(records, search, name, seconds[name]) for name in names], padding=3, fontsize=9)
    axis.set_title(SEARCHES[search].title, loc="left", fontsize=11)
    axis.set_xlim(0, max(values) * 1.25)
    axis.set_xlabel("seconds")
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)


def _label(records: Records, search: str, name: str, seconds: float) -> str:
    ratio = records.ratio(search, "plain", name)
    return f"{seconds:.1f} s" + ("" if ratio is None or name == "plain" else f"  ({ratio:.1f}x)")
