"""Which trials' models are kept, and which go again."""

from __future__ import annotations

import heapq
import math

from mlflow import MlflowClient


class ModelKeeper:
    """Keeps the models of the best trials only, where that is asked.

    Parameters
    ----------
    client : MlflowClient
    keep_best : int or None
        How many trials' models are kept; None keeps all.
    kept : list of (float, int, list of str)
        Score, negative number and model ids of those that are kept: a heap, changed in place.
    """

    def __init__(self, client: MlflowClient, keep_best: int | None, kept: list[tuple[float, int, list[str]]]) -> None:
        self._client = client
        self._keep_best = keep_best
        self._kept = kept
        kept[:] = [(score, number, ids) for score, number, ids in kept]  # JSON has no tuples, and lists order otherwise

    def wants(self, score: float | None) -> bool:
        """Return whether the models of a trial with this score are worth saving."""
        if self._keep_best is None or len(self._kept) < self._keep_best:
            return True
        return _rank(score) > self._kept[0][0]

    def remember(self, score: float | None, trial: int, model_ids: list[str]) -> None:
        """Take note of a trial's saved models, and delete those that fall out of the best."""
        if self._keep_best is None:
            return
        # Of equal scores the earlier trial is the better one, as in scikit-learn's ranking.
        entry = (_rank(score), -trial, model_ids)
        if entry not in self._kept:
            heapq.heappush(self._kept, entry)
        if len(self._kept) > self._keep_best:
            from mlflow_hpo.tracking.models import delete_logged_model

            for model_id in self._kept[0][2]:
                delete_logged_model(self._client, model_id)
            heapq.heappop(self._kept)


def _rank(score: float | None) -> float:
    return -math.inf if score is None or math.isnan(score) else score
