"""`Ranking`: what the trials of a study are ranked by, and which is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlflow_hpo.core.events import BestChanged, TrialEnded
from mlflow_hpo.study import scores


class Ranking:
    """Ranks trials as they end.

    Parameters
    ----------
    metric : str or None
        The trial metric to rank by; None is scikit-learn's default: the score, or the first of several.
    greater_is_better : bool
        Direction of the metric.

    Attributes
    ----------
    best : TrialEnded or None
        The best trial so far.
    """

    def __init__(self, metric: str | None, *, greater_is_better: bool) -> None:
        self.metric = metric
        self.best: TrialEnded | None = None
        self._sign = 1.0 if greater_is_better else -1.0

    def settle(self, result: scores.FoldResult) -> None:
        """Settle the metric, from the result of a fold that has not failed."""
        self.metric = self._metric_of(result)

    def fold_score(self, fold: int, result: scores.FoldResult, metrics: Mapping[str, float]) -> float:
        """Return the score, among the metrics of a fold, by which its model is ranked; NaN where there is none."""
        return metrics.get(f"split{fold}_{self._metric_of(result).removeprefix('mean_')}", math.nan)

    def score(self, metrics: Mapping[str, float]) -> float | None:
        """Return a trial's value of the metric, greater is better; None where it has none."""
        value = metrics.get(self.metric or "")
        return None if value is None else self._sign * value

    def challenge(self, ended: TrialEnded, params: Mapping[str, Any]) -> BestChanged | None:
        """Return the news if a trial that has ended is the best so far, from which on it is."""
        if self.metric is None or ended.score is None or not math.isfinite(ended.score):
            return None
        if self.best is not None and self.best.score is not None and ended.score <= self.best.score:
            return None
        self.best = ended
        return BestChanged(ended.trial, self.metric, ended.metrics[self.metric], params)

    def overrule(self, trial: int, params: Mapping[str, Any], value: float) -> BestChanged | None:
        """Return the news if the search's own choice of the best trial is another one."""
        if self.metric is None or (self.best is not None and self.best.trial == trial):
            return None
        return BestChanged(trial, self.metric, value, params)

    def _metric_of(self, result: scores.FoldResult) -> str:
        available = [f"mean_test_{name}" for name in scores.score_names([result])]
        if self.metric is None or (self.metric not in available and len(available) == 1):
            return available[0]
        return self.metric
