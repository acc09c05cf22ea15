"""The scores of a trial, from the results of its folds, under the names and by the formulas of `cv_results_`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FoldResult = Mapping[str, Any]
_TIMES = ("fit_time", "score_time")


def fold_metrics(fold: int, result: FoldResult) -> dict[str, float]:
    """Return the scores of one fold: `split0_test_score` and the like.

    Parameters
    ----------
    fold : int
        Split index from 0.
    result : mapping
        What `_fit_and_score` returned.
    """
    return {
        f"split{fold}_{kind}_{name}": float(value)
        for kind in ("test", "train")
        for name, value in _named(result.get(f"{kind}_scores")).items()
    }


def trial_metrics(results: Sequence[FoldResult]) -> dict[str, float]:
    """Return mean and standard deviation over the folds of every score and time.

    Parameters
    ----------
    results : sequence of mapping
        What `_fit_and_score` returned, by split.
    """
    columns: dict[str, list[float]] = {time: [result[time] for result in results] for time in _TIMES}
    for kind in ("test", "train"):
        scores = [result.get(f"{kind}_scores") for result in results]
        for name in _names(scores):
            columns[f"{kind}_{name}"] = [_value(score, name) for score in scores]
    metrics: dict[str, float] = {}
    for name, values in columns.items():
        array = np.array([values], dtype=np.float64)
        # As scikit-learn's `_format_results` writes it, to the last bit.
        mean = np.average(array, axis=1)
        metrics[f"mean_{name}"] = float(mean[0])
        metrics[f"std_{name}"] = float(np.sqrt(np.average((array - mean[:, np.newaxis]) ** 2, axis=1))[0])
    return metrics


def blank(result: FoldResult) -> dict[str, Any]:
    """Return the result of a fold that has not run: NaN wherever one that has run holds a score or a time.

    Parameters
    ----------
    result : mapping
        What `_fit_and_score` returned for a fold of the same search.
    """
    empty: dict[str, Any] = {
        kind: dict.fromkeys(score, np.nan) if isinstance(score := result[kind], dict) else np.nan
        for kind in ("test_scores", "train_scores")
        if kind in result
    }
    return {**result, **empty, **dict.fromkeys(_TIMES, np.nan)}


def score_names(results: Sequence[FoldResult]) -> list[str]:
    """Return the names of the test scores, `["score"]` where there is a single one without a name."""
    return _names([result.get("test_scores") for result in results])


def _names(scores: Sequence[Any]) -> list[str]:
    # A fold that failed under a callable scoring has a bare error score where the others have names.
    named = next((score for score in scores if isinstance(score, dict)), None)
    return list(_named(named if named is not None else scores[0]))


def _named(score: Any) -> dict[str, float]:
    if score is None:
        return {}
    return score if isinstance(score, dict) else {"score": score}


def _value(score: Any, name: str) -> float:
    return float(score[name] if isinstance(score, dict) else score)
