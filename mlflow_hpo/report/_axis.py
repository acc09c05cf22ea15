"""An axis for a parameter, whatever its values are: numbers on their scale, names in a row, None at its own place."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._values import as_number, shorten, show_param, show_tick

NOT_SET = "not set"
_OTHER = "other"
_LOG_SPACE = re.compile(r"log-?uniform|reciprocal|LogInteger|prior='log", re.IGNORECASE)
_MOST_CATEGORIES = 10
_FEW_VALUES = 7
_LOG_RATIO = 30.0
_SLOT = 0.13
_JITTER = 0.5  # of a category's width
_NUMBER_JITTER = 0.035
_TICK_GAP = 0.13
_LABEL = 22


@dataclass(frozen=True)
class ParameterAxis:
    """Where a parameter's values lie between 0 and 1.

    Parameters
    ----------
    name : str
        The parameter.
    positions : mapping of int to float
        By number of the trial.
    ticks : sequence of (float, str)
        Position and label.
    is_categorical : bool
        Whether its values are names in a row.
    is_log : bool
        Whether its numbers lie on a logarithmic scale.
    distinct : int
        How many values there are.
    begin : float
        Where its numbers begin; what is no number lies below.
    """

    name: str
    positions: Mapping[int, float]
    ticks: Sequence[tuple[float, str]]
    is_categorical: bool
    is_log: bool
    distinct: int
    begin: float = 0.0

    @property
    def label(self) -> str:
        """The parameter's name, with its scale where it is logarithmic."""
        name = shorten(self.name, 40)
        return f"{name} (log)" if self.is_log else name


def parameter_axes(study: StudyFacts) -> list[ParameterAxis]:
    """Return an axis for each parameter that differs between the trials with a score, in the order of the space."""
    trials = study.scored
    known = list(dict.fromkeys(name for trial in trials for name in trial.params))
    order = [key.removeprefix("space.") for key in study.params if key.startswith("space.")]
    place = {name: index for index, name in enumerate(order)}
    axes = [_axis(name, trials, study.params.get(f"space.{name}", "")) for name in known]
    return sorted((axis for axis in axes if axis.distinct > 1), key=lambda axis: place.get(axis.name, len(place)))


def jittered(axis: ParameterAxis, trial: TrialFacts) -> float:
    """Return a trial's place on an axis, moved a little within its category: many lie on one spot."""
    place = axis.positions[trial.number]
    if axis.is_categorical:
        width = _JITTER / len(axis.ticks)
    else:
        width = _NUMBER_JITTER if axis.distinct <= _FEW_VALUES or place < axis.begin else 0.0
    return place + width * (random.Random(trial.number).random() - 0.5)


def _axis(name: str, trials: Sequence[TrialFacts], space: str) -> ParameterAxis:
    texts = {trial.number: trial.params.get(name, NOT_SET) for trial in trials}
    numbers = {text: number for text in set(texts.values()) if (number := as_number(text)) is not None}
    words = sorted(set(texts.values()) - set(numbers), key=lambda word: (word == NOT_SET, word == "None", word))
    distinct = len(numbers) + len(words)
    is_choice = bool(words) and distinct <= min(_FEW_VALUES, len(trials) / 2)  # None, 2 or 3, and not None or a range
    if len(set(numbers.values())) < 2 or is_choice:
        return _categorical(name, texts, [*sorted(numbers, key=lambda text: numbers[text]), *words])
    return _numeric(name, texts, numbers, words, space)


def _categorical(name: str, texts: Mapping[int, str], values: Sequence[str]) -> ParameterAxis:
    counts = Counter(texts.values())
    kept = list(values)
    if len(kept) > _MOST_CATEGORIES:
        frequent = {value for value, _ in counts.most_common(_MOST_CATEGORIES - 1)}
        kept = [value for value in values if value in frequent] + [_OTHER]
    place = {value: (index + 0.5) / len(kept) for index, value in enumerate(kept)}
    return ParameterAxis(
        name=name,
        positions={number: place.get(text, place.get(_OTHER, 0.0)) for number, text in texts.items()},
        ticks=[(position, shorten(show_param(value), _LABEL) or "''") for value, position in place.items()],
        is_categorical=True,
        is_log=False,
        distinct=len(counts),
    )


def _numeric(
    name: str, texts: Mapping[int, str], numbers: Mapping[str, float], words: Sequence[str], space: str
) -> ParameterAxis:
    slots = list(words) if len(words) <= 3 else [_OTHER]
    begin = _SLOT * len(slots)
    values = sorted(set(numbers.values()))
    is_log = values[0] > 0 and (bool(_LOG_SPACE.search(space)) or _looks_log(values))
    low, high = _scaled(values[0], is_log), _scaled(values[-1], is_log)

    def place(value: float) -> float:
        return begin + (1 - begin) * (_scaled(value, is_log) - low) / (high - low)

    def slot(text: str) -> float:
        return _SLOT * slots.index(text if text in slots else _OTHER)

    positions = {number: place(numbers[text]) if text in numbers else slot(text) for number, text in texts.items()}
    shown = [(place(value), show_tick(value)) for value in _tick_values(values, is_log)]
    return ParameterAxis(
        name=name,
        positions=positions,
        ticks=[(_SLOT * index, shorten(word, 8)) for index, word in enumerate(slots)] + _thinned(shown),
        is_categorical=False,
        is_log=is_log,
        distinct=len(set(texts.values())),
        begin=begin,
    )


def _scaled(value: float, is_log: bool) -> float:
    return math.log10(value) if is_log else value


def _looks_log(values: Sequence[float]) -> bool:
    """Whether numbers spread evenly by ratio rather than by difference."""
    low, middle, high = values[0], median(values), values[-1]
    ratios = [after / before for before, after in pairwise(values)]
    if len(ratios) >= 2 and min(ratios) >= 1.5 and max(ratios) <= 1.01 * min(ratios):  # 16, 32, 64
        return True
    if high / low < _LOG_RATIO:
        return False
    geometric, arithmetic = math.sqrt(low) * math.sqrt(high), low / 2 + high / 2
    return abs(math.log(middle / geometric)) < abs(math.log(middle / arithmetic))


def _tick_values(values: Sequence[float], is_log: bool) -> list[float]:
    if len(values) <= _FEW_VALUES:
        return list(values)
    low, high = values[0], values[-1]
    if not is_log:
        return _round_steps(low, high, whole=all(value.is_integer() for value in values))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    whole = [10.0**decade for decade in decades if low <= 10.0**decade <= high]
    if len(whole) >= 2:
        return whole[:: -(-len(whole) // 6)]
    return [value for decade in decades for step in (1, 2, 5) if low <= (value := step * 10.0**decade) <= high]


def _round_steps(low: float, high: float, *, whole: bool) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=5, integer=whole).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(tick) for tick in ticks if low - slack <= tick <= high + slack]


def _thinned(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out the ticks whose labels would touch the one before."""
    kept: list[tuple[float, str]] = []
    for position, label in ticks:
        if not kept or position - kept[-1][0] >= max(_TICK_GAP, 0.022 * (len(label) + len(kept[-1][1])) / 2):
            kept.append((position, label))
    return kept
