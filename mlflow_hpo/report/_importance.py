"""Which parameters matter: permutation importance of a random forest, scikit-learn's both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_hpo.report._axis import ParameterAxis
from mlflow_hpo.report._facts import StudyFacts

METHOD = "Permutation importance of a random forest (scikit-learn)"
LEAST_TRIALS = 10
_TREES = 100
_REPEATS = 5
_MOST_TRIALS = 1000


@dataclass(frozen=True)
class Importance:
    """How much each parameter tells about the score.

    Parameters
    ----------
    shares : sequence of (str, float, float)
        Parameter, its share of all importance, and the spread of the share; the largest first.
    explained : float
        R² of the forest on trials that its trees had not seen: 1 is all, 0 or less is nothing.
    """

    shares: Sequence[tuple[str, float, float]]
    explained: float


def parameter_importance(study: StudyFacts, axes: Sequence[ParameterAxis]) -> Importance | None:
    """Return the importance of each parameter; None where trials are too few, or only one parameter differs.

    A forest learns the rank of a trial's score from its parameters; a parameter's importance is what R² loses when its
    column is shuffled (Breiman 2001, `sklearn.inspection.permutation_importance`). Ranks keep a few hopeless trials
    from deciding all. The answer is the same on each call.
    """
    trials = study.scored[-_MOST_TRIALS:]
    if len(trials) < LEAST_TRIALS or len(axes) < 2:
        return None
    scores = np.array([trial.score for trial in trials], dtype=np.float64)
    if np.ptp(scores) == 0:
        return None
    points = np.array([[axis.positions[trial.number] for axis in axes] for trial in trials])
    means, spreads, explained = _permuted(points, _ranks(scores))
    total = means.sum()
    if total <= 0:
        return None
    order = np.argsort(-means, kind="stable")
    shares = [(axes[i].name, float(means[i] / total), float(spreads[i] / total)) for i in order]
    return Importance(shares, explained)


def _permuted(points: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, oob_score=True, random_state=0, n_jobs=1)
    forest.fit(points, ranks)
    result = permutation_importance(forest, points, ranks, n_repeats=_REPEATS, random_state=0, n_jobs=1)
    return np.maximum(result.importances_mean, 0), result.importances_std, float(forest.oob_score_)


def _ranks(scores: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(scores) / len(scores)
    return ranks
