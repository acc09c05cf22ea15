"""Scores over a study: the best so far, and an axis on which a few hopeless trials do not flatten all others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from mlflow_hpo.report._facts import StudyFacts, TrialFacts

# Interquartile ranges beyond the quartile: Tukey's "far out"; of few scores an odd one is shown as long as it can be.
_FENCE, _FENCE_OF_FEW = 3.0, 10.0
_FEW = 20
_DECADES = 2.0
_PAD = 0.06


def best_so_far(study: StudyFacts, trials: Sequence[TrialFacts]) -> list[float]:
    """Return the best score up to each trial, in the order given; all of them have a score."""
    better = max if study.greater_is_better else min
    return list(accumulate((trial.score for trial in trials if trial.score is not None), better))


@dataclass(frozen=True)
class ScoreScale:
    """The range of a score axis.

    Parameters
    ----------
    low, high : float
        Its ends.
    is_log : bool
        Whether it is logarithmic.
    beyond : int
        How many scores lie outside; they are drawn at the edge.
    """

    low: float
    high: float
    is_log: bool
    beyond: int

    def clip(self, score: float) -> float:
        """Return where on the axis a score is drawn."""
        return min(max(score, self.low), self.high)


def score_scale(scores: Sequence[float], *, greater_is_better: bool) -> ScoreScale:
    """Return the axis for a study's scores: all that are good, and the bad ones as far as they are not far out.

    Parameters
    ----------
    scores : sequence of float
        Finite, at least one.
    greater_is_better : bool
        Which end is never cut.

    Examples
    --------
    >>> scale = score_scale([0.9, 0.91, 0.92, 0.93, -5000.0], greater_is_better=True)
    >>> scale.beyond, scale.low > 0.8, scale.is_log
    (1, True, False)
    >>> score_scale([0.001, 0.01, 0.1, 1.0, 10.0], greater_is_better=False).is_log
    True
    """
    array = np.asarray(scores, dtype=np.float64)
    is_log = not greater_is_better and _spans_decades(array)
    placed = np.log10(array) if is_log else array
    low, high = _fenced(placed, greater_is_better)
    beyond = int(((placed < low) | (placed > high)).sum())
    low, high = _padded(low, high)
    return ScoreScale(10**low, 10**high, True, beyond) if is_log else ScoreScale(low, high, False, beyond)


def _spans_decades(scores: np.ndarray) -> bool:
    if scores.min() <= 0:
        return False
    low, high = np.quantile(scores, [0.05, 0.95])
    return bool(math.log10(high / low) > _DECADES)


def _fenced(placed: np.ndarray, greater_is_better: bool) -> tuple[float, float]:
    low, high = float(placed.min()), float(placed.max())
    first, median, third = np.quantile(placed, [0.25, 0.5, 0.75])
    factor = _FENCE_OF_FEW if len(placed) < _FEW else _FENCE
    if greater_is_better:
        fence = first - factor * max(third - first, high - median)
        return float(placed[placed >= fence].min()), high
    fence = third + factor * max(third - first, median - low)
    return low, float(placed[placed <= fence].max())


def _padded(low: float, high: float) -> tuple[float, float]:
    pad = _PAD * (high - low) or 0.02 * abs(low) or 0.02
    return low - pad, high + pad
