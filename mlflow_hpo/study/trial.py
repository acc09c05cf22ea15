"""`OpenTrial`: what is known of a trial from the moment its candidate is taken on until it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.config import LogModels
from mlflow_hpo.core.events import SCORE_ERROR, FittedModel, RunStatus
from mlflow_hpo.study.fold import FoldOutcome
from mlflow_hpo.study.scores import FoldResult
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.earlier import EarlierTrial, result_tag


@dataclass
class OpenTrial:
    """A trial that has not ended.

    Parameters
    ----------
    params : mapping of str to object
        The candidate.
    n_folds : int
        How many folds it has; 0 for an objective.
    tags : mapping of str to str
        What its run is tagged with.
    earlier : EarlierTrial or None
        The same trial in an earlier start of the study.
    borrowed : EarlierTrial or None
        The same candidate in another study.
    is_skipped : bool or None
        Whether it is not run because the study is over; None where that is still to be decided.

    Attributes
    ----------
    is_started : bool
        Whether it has a run.
    results : dict of int to FoldResult
        By fold.
    error : str or None
        Traceback of the first fold that failed.
    lost : str or None
        How a worker was lost on it.
    """

    params: Mapping[str, Any]
    n_folds: int
    tags: Mapping[str, str]
    earlier: EarlierTrial | None = None
    borrowed: EarlierTrial | None = None
    is_skipped: bool | None = None
    is_started: bool = False
    results: dict[int, FoldResult] = field(default_factory=dict)
    error: str | None = None
    lost: str | None = None
    _keys: dict[int, str] = field(default_factory=dict, init=False)
    _replayed: set[int] = field(default_factory=set, init=False)
    _models: list[tuple[float, FittedModel]] = field(default_factory=list, init=False)

    @property
    def is_replay(self) -> bool:
        """Whether all of it was found by an earlier start."""
        return self.earlier is not None and self.earlier.is_over and not self.is_started

    @property
    def is_whole(self) -> bool:
        """Whether all of its folds have results."""
        return bool(self.results) and len(self.results) == self.n_folds

    def recorded(self, fold: int, key: str) -> Any:
        """Return what another start, or another study, has recorded under a fold's key; None where that is nothing."""
        self._keys[fold] = key
        if self.earlier is not None and key in self.earlier.results:
            self._replayed.add(fold)
            return self.earlier.results[key]
        return self.borrowed.results.get(key) if self.borrowed is not None else None

    def has_replayed(self, fold: int) -> bool:
        """Whether the trial's run has a fold's result already."""
        return fold in self._replayed

    def take(self, outcome: FoldOutcome, result: FoldResult) -> None:
        """Take the result of a fold."""
        self.results[outcome.fold] = result
        self.error = self.error or result.get("fit_error") or outcome.traceback

    def fold_tags(self, outcome: FoldOutcome, result: FoldResult) -> dict[str, str]:
        """Return the tags by which a later start finds the result of a fold."""
        key = self._keys.get(outcome.fold)
        noted = {SCORE_ERROR: outcome.traceback} if outcome.traceback else {}
        tags = result_tag(key, {**result, **noted}) if key and not outcome.lost else {}
        if self.borrowed is not None and key in self.borrowed.results:
            tags[names.REUSED] = self.borrowed.run_id
        return tags

    def keep(self, model: FittedModel, score: float, which: LogModels) -> None:
        """Keep a fitted model, or the better one of those that there are.

        Parameters
        ----------
        model : FittedModel
        score : float
            Of its fold; NaN is the worst.
        which : {"best_fold", "all_folds", "none"}
            Which models of the trial are kept.
        """
        if which == "none":
            return
        self._models.append((-math.inf if math.isnan(score) else score, model))
        if which == "best_fold":
            self._models = [max(self._models, key=lambda ranked: ranked[0])]

    def kept_models(self, status: RunStatus) -> tuple[FittedModel, ...]:
        """Return the models to save, by fold, of a trial that ends so."""
        if status is not RunStatus.FINISHED:
            return ()
        return tuple(model for _, model in sorted(self._models, key=lambda ranked: ranked[1].fold or 0))
