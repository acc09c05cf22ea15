"""Colours of the report, light and dark: Okabe and Ito's palette, which people with colour-blindness can tell apart.

A plot is drawn in the light colours. In an SVG each of them stands for a CSS variable, so that one drawing serves both.
"""

from __future__ import annotations

import re

INK = "#191c20"
MUTED = "#5f6875"
AXIS = "#c4cad2"
GRID = "#e9ecf0"
SURFACE = "#fdfdfe"
BLUE = "#0072b2"
ORANGE = "#e69f00"
VERMILLION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
SKY = "#56b4e9"
SOFT = "#a9b3bf"
RAMP = ("#dbe2e9", "#b3cbdf", "#7eacd0", "#3f86b8", "#005a91")

SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)

_LIGHT = {
    "ink": INK,
    "muted": MUTED,
    "axis": AXIS,
    "grid": GRID,
    "surface": SURFACE,
    "blue": BLUE,
    "orange": ORANGE,
    "vermillion": VERMILLION,
    "green": GREEN,
    "purple": PURPLE,
    "sky": SKY,
    "soft": SOFT,
    **{f"ramp-{level}": color for level, color in enumerate(RAMP)},
}
_DARK = {
    "ink": "#eceff3",
    "muted": "#9aa5b3",
    "axis": "#46505c",
    "grid": "#272d35",
    "surface": "#15181d",
    "blue": "#5ab4ea",
    "orange": "#f0b429",
    "vermillion": "#ff8c42",
    "green": "#2cc79c",
    "purple": "#e094c0",
    "sky": "#8accf5",
    "soft": "#5b6674",
    "ramp-0": "#272f38",
    "ramp-1": "#2f4558",
    "ramp-2": "#38698d",
    "ramp-3": "#4b9ad0",
    "ramp-4": "#a5dcff",
}
_NAMES = {color: name for name, color in _LIGHT.items()}
_COLOR = re.compile("|".join(_NAMES))


def css_variables(*, dark: bool) -> str:
    """Return the declarations of the CSS variables of one of the two themes."""
    return " ".join(f"--{name}: {color};" for name, color in (_DARK if dark else _LIGHT).items())


def themed(svg: str) -> str:
    """Return an SVG whose colours follow the page's theme."""
    return _COLOR.sub(lambda match: f"var(--{_NAMES[match[0]]})", svg)
