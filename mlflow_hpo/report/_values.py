"""Values as people read them: numbers, durations, moments; and parameters' texts taken back into values."""

from __future__ import annotations

import math
import re
from datetime import datetime

# MLflow stores an infinite metric as the largest float.
_ENDLESS = 1e308
NOTHING = "-"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def finite(value: float | None) -> float | None:
    """Return a number that can be drawn, or None in the place of NaN, an infinity or nothing.

    Examples
    --------
    >>> finite(0.5), finite(float("nan")), finite(1.7976931348623157e308)
    (0.5, None, None)
    """
    return value if value is not None and abs(value) < _ENDLESS else None


def as_number(text: str) -> float | None:
    """Return the number that a parameter's text is, or None: for names, None, True, nan and inf too.

    Examples
    --------
    >>> as_number("1e-4"), as_number("None"), as_number("inf"), as_number("1_0")
    (0.0001, None, None, None)
    """
    return finite(float(text)) if _NUMBER.fullmatch(text) else None


def show_number(value: float | None, digits: int = 4) -> str:
    """Return a number with as many digits as are of use, a dash where there is none.

    Examples
    --------
    >>> show_number(0.953217), show_number(123456.0), show_number(None), show_number(float("nan"))
    ('0.9532', '123,456', '-', 'NaN')
    """
    if value is None:
        return NOTHING
    if math.isnan(value):
        return "NaN"
    if finite(value) is None:
        return "∞" if value > 0 else "-∞"
    if 1e4 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def show_param(text: str | None) -> str:
    """Return a parameter's text, a long fraction shortened to what is of use.

    Examples
    --------
    >>> show_param("0.00012345678"), show_param("relu"), show_param("128"), show_param(None)
    ('0.0001235', 'relu', '128', '-')
    """
    if text is None:
        return NOTHING
    number = as_number(text)
    is_whole = text.lstrip("+-").isdigit()
    return text if number is None or is_whole else f"{number:.4g}"


def show_tick(value: float) -> str:
    """Return a number as short as an axis asks for.

    Examples
    --------
    >>> show_tick(1e-4), show_tick(2e-5), show_tick(0.05), show_tick(100000.0), show_tick(1500.0)
    ('10⁻⁴', '2·10⁻⁵', '0.05', '10⁵', '1,500')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    factor = f"{float(mantissa):g}"
    return {"1": power, "-1": f"-{power}"}.get(factor, f"{factor}·{power}")


def show_seconds(seconds: float | None) -> str:
    """Return a duration in the two units that tell most.

    Examples
    --------
    >>> show_seconds(0.0421), show_seconds(8.04), show_seconds(75), show_seconds(7380), show_seconds(None)
    ('42 ms', '8.0 s', '1 min 15 s', '2 h 3 min', '-')
    """
    if seconds is None or finite(seconds) is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = whole // 60
    if minutes < 2 * 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def time_unit(seconds: float) -> tuple[str, float]:
    """Return the unit in which an axis up to so many seconds reads well, and how many seconds it has.

    Examples
    --------
    >>> time_unit(40), time_unit(4000)
    (('s', 1.0), ('min', 60.0))
    """
    if seconds < 120:
        return "s", 1.0
    return ("min", 60.0) if seconds < 3 * 3600 else ("h", 3600.0)


def show_moment(ms: int | None) -> str:
    """Return a moment as date, time and zone."""
    return NOTHING if ms is None else datetime.fromtimestamp(ms / 1000).astimezone().strftime("%d %b %Y, %H:%M:%S %Z")


def shorten(text: str, length: int) -> str:
    """Return a text that can be printed, on one line, no longer than `length`.

    Examples
    --------
    >>> shorten("abcdef", 4), shorten(f"a{chr(0)}b", 4)
    ('abc…', 'a b')
    """
    printable = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: length + 50]).split())
    return printable if len(printable) <= length else printable[: length - 1] + "…"
