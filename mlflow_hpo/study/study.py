"""`Study`: one search in progress. Knows its trials, hears of their folds, and tells the writer."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.config import LogModels
from mlflow_hpo.core.events import (
    SCORE_ERROR,
    BestChanged,
    CandidateTaken,
    FittedModel,
    FoldEnded,
    FoldStarted,
    ProgressEvent,
    RunStatus,
    StudyEvent,
    TrialEnded,
    TrialReplayed,
    TrialStarted,
)
from mlflow_hpo.core.reporting import EpochEnded
from mlflow_hpo.study import scores
from mlflow_hpo.study.failures import Failures
from mlflow_hpo.study.fold import FoldEvent, FoldOutcome
from mlflow_hpo.study.naming import trial_name
from mlflow_hpo.study.replay import Replay, fold_key
from mlflow_hpo.study.stopping import StopRule
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.earlier import EarlierTrial, result_tag
from mlflow_hpo.tracking.runs import StudyRun
from mlflow_hpo.tracking.writer import Writer

_logger = logging.getLogger(__name__)
# The key of what a trial without folds has returned.
_VALUE = "value"


@dataclass
class _Trial:
    """A trial that has not ended."""

    params: Mapping[str, Any]
    n_folds: int
    tags: Mapping[str, str]
    earlier: EarlierTrial | None = None
    keys: dict[int, str] = field(default_factory=dict)
    replayed: set[int] = field(default_factory=set)
    borrowed: EarlierTrial | None = None
    is_started: bool = False
    results: dict[int, scores.FoldResult] = field(default_factory=dict)
    models: list[tuple[float, FittedModel]] = field(default_factory=list)
    error: str | None = None
    lost: str | None = None
    is_skipped: bool | None = None

    @property
    def is_replay(self) -> bool:
        """Whether all of it was found by an earlier start."""
        return self.earlier is not None and self.earlier.is_over and not self.is_started


class Study:
    """One search in progress.

    Parameters
    ----------
    run : StudyRun
        Where it is kept.
    writer : Writer
        Writes what happens.
    log_models : {"best_fold", "all_folds", "none"}
        Which models of a trial are kept.
    metric : str or None
        The trial metric to rank by; None is scikit-learn's default: the score, or the first of several.
    greater_is_better : bool
        Direction of the metric.
    replay : Replay
        What an earlier start has found.
    stop : StopRule
        When no more trials are to begin.
    show : callable
        Takes each event for who looks on; cheap, never raises, from any thread.

    Attributes
    ----------
    stopped : str or None
        Why candidates of the search were not run; None where all were.
    failures : Failures
        Of its trials.
    n_trials : int
        How many candidates have been taken on.
    on_trial_ended : callable
        Hears of each trial's end: its number, and its score, greater is better, or None.
    """

    def __init__(
        self,
        run: StudyRun,
        writer: Writer,
        *,
        log_models: LogModels,
        metric: str | None = None,
        greater_is_better: bool = True,
        replay: Replay | None = None,
        stop: StopRule | None = None,
        show: Callable[[ProgressEvent], object] = lambda _: None,
    ) -> None:
        self.replay = replay or Replay()
        self.stopped: str | None = None
        self.failures = Failures()
        self._stop = stop or StopRule()
        self._sample: scores.FoldResult | None = None
        self.run = run
        self.writer = writer
        self.show = show
        self.log_models = log_models
        self.metric = metric
        self.best: TrialEnded | None = None
        self._sign = 1.0 if greater_is_better else -1.0
        self._open: dict[int, _Trial] = {}
        self.n_trials = 0
        self.on_trial_ended: Callable[[int, float | None], object] = lambda number, score: None
        self._first_of_call = 0
        self._last_epochs: dict[tuple[int | None, int | None, int], int] = {}
        self._lock = threading.RLock()

    def begin_candidates(
        self,
        candidates: Sequence[Mapping[str, Any]],
        n_folds: int,
        tags: Sequence[Mapping[str, str]] | None = None,
        *,
        may_skip: bool = False,
    ) -> None:
        """Take on the candidates that the search is about to evaluate: one trial each, in their order.

        Parameters
        ----------
        candidates : sequence of mapping
            Parameters by name.
        n_folds : int
            How many folds each has; 0 for an objective.
        tags : sequence of mapping of str to str or None
            What else distinguishes each.
        may_skip : bool
            Whether the search takes NaN for the scores of those that are not run because the study is over.
        """
        with self._lock:
            self._first_of_call = self.n_trials
            for index, params in enumerate(candidates):
                self.take_on(params, n_folds, tags[index] if tags else {}, may_skip=may_skip)

    def take_on(
        self, params: Mapping[str, Any], n_folds: int, tags: Mapping[str, str] | None = None, *, may_skip: bool = False
    ) -> None:
        """Take on one more candidate of the present call."""
        with self._lock:
            key = self.replay.key_of(params, tags or {})
            known = {**(tags or {}), **({names.TRIAL_KEY: key} if key is not None else {})}
            trial = _Trial(params, n_folds, known, self.replay.take(key), is_skipped=None if may_skip else False)
            trial.borrowed = self.replay.borrow(key)
            self._open[self.n_trials] = trial
            self.n_trials += 1
        self.show(CandidateTaken())

    def trial_number(self, candidate: int) -> int:
        """Return the number of the trial that evaluates a candidate of the present call, both from 0."""
        return self._first_of_call + candidate

    def is_over(self) -> bool:
        """Whether no more trials are to begin; who asks will propose none."""
        with self._lock:
            self.stopped = self._stop.reason
            return self.stopped is not None

    def known_result(self, number: int, fold: int, train: Any, test: Any) -> Mapping[str, Any] | None:
        """Return the result that another start, or another study, has for a fold; None where there is none.

        Parameters
        ----------
        number, fold : int
            Trial and fold, from 0.
        train, test : array of int
            The rows of the fold.
        """
        with self._lock:
            trial = self._open[number]
            if names.TRIAL_KEY not in trial.tags:
                return None
            trial.keys[fold] = fold_key(fold, train, test)
            result: Mapping[str, Any] | None = self._recorded(trial, fold)
            return result

    def skipped_result(self, number: int) -> Mapping[str, Any] | None:
        """Return the result of a fold that is not to be trained because the study is over; None where it is not."""
        with self._lock:
            trial = self._open.get(number)
            return scores.blank(self._sample or {}) if trial is not None and self._skips(trial) else None

    def _skips(self, trial: _Trial) -> bool:
        """Decide, with its first fold, whether a trial is run: what an earlier start has found costs no time."""
        if trial.is_skipped is None:
            is_over = self._stop.has_lost_patience or (self._stop.is_out_of_time and not trial.is_replay)
            trial.is_skipped = is_over
            if is_over:
                self.stopped = self._stop.reason
        return trial.is_skipped

    def recorded_value(self, number: int) -> Any:
        """Return what an earlier start has for a trial without folds; None where it is to run."""
        with self._lock:
            trial = self._open[number]
            trial.keys[0] = _VALUE
            return self._recorded(trial, 0)

    def _recorded(self, trial: _Trial, fold: int) -> Any:
        key = trial.keys[fold]
        if trial.earlier is not None and key in trial.earlier.results:
            trial.replayed.add(fold)
            return trial.earlier.results[key]
        return trial.borrowed.results.get(key) if trial.borrowed is not None else None

    def trial_run(self, trial: int) -> tuple[str, str]:
        """Return tracking URI and run id of a trial, which is started if it has not begun."""
        with self._lock:
            self._start(trial)
        return self.run.tracking_uri, self.writer.trial_run_id(trial)

    def hear(self, event: FoldEvent) -> bool:
        """Take an event of a running fold, from any thread."""
        with self._lock:
            if isinstance(event, FoldStarted):
                self._start(event.trial)
                self.show(event)
            elif self._is_new(event):
                self._put(event)
        return True

    def _is_new(self, event: EpochEnded) -> bool:
        """Whether an epoch has not been heard of: a fold whose worker died trains again."""
        fit = (event.trial, event.fold, event.fit)
        is_new = event.epoch > self._last_epochs.get(fit, -1)
        if is_new:
            self._last_epochs[fit] = event.epoch
        return is_new

    def end_fold(self, outcome: FoldOutcome) -> None:
        """Take the outcome of a fold; with its last fold the trial ends."""
        with self._lock:
            for event in outcome.undelivered:
                self.hear(event)
            trial = self._open.get(outcome.trial)
            if trial is None or trial.is_skipped:  # it has ended already, as another fold of it raised, or never begins
                return
            if outcome.fold not in trial.replayed:
                self._start(outcome.trial)
            trial.lost = trial.lost or outcome.lost
            if outcome.result is None:
                trial.error = trial.error or outcome.traceback
                self._end(outcome.trial, RunStatus.FAILED)
                return
            self._record(outcome.trial, trial, outcome, outcome.result)
            if len(trial.results) == trial.n_folds:
                self._end(outcome.trial, RunStatus.FAILED if trial.error else RunStatus.FINISHED)

    def decide(self, trial: int, params: Mapping[str, Any], value: float) -> None:
        """Take the search's word for which trial is the best: halving, say, asks the last rung only.

        Parameters
        ----------
        trial : int
            Its number.
        params : mapping of str to object
            Its parameters.
        value : float
            Its value of the study's metric.
        """
        if self.metric is not None and (self.best is None or self.best.trial != trial):
            self._put(BestChanged(trial, self.metric, value, params))

    def abort(self, status: RunStatus) -> None:
        """End all trials that have begun and not ended."""
        with self._lock:
            for number in [number for number, trial in self._open.items() if trial.is_started]:
                self._end(number, status)

    def end_objective(
        self,
        number: int,
        metrics: Mapping[str, float],
        model: FittedModel | None = None,
        *,
        value: Any = None,
        error: str | None = None,
    ) -> None:
        """End a trial that has no folds.

        Parameters
        ----------
        number : int
            The trial.
        metrics : mapping of str to float
            What it measured, the study's metric among it.
        model : FittedModel or None
            What it fitted.
        value : object
            What the objective returned, for a later start.
        error : str or None
            Traceback of its failure.
        """
        with self._lock:
            if model is not None and self.log_models != "none":
                self._open[number].models.append((0.0, model))
            self._open[number].error = error
            tags = result_tag(_VALUE, value) if value is not None else {}
            self._end(number, RunStatus.FAILED if error else RunStatus.FINISHED, metrics, tags)

    def _start(self, number: int) -> None:
        trial = self._open.get(number)
        # An event from another process can come after the outcome that has ended the trial.
        if trial is None or trial.is_started:
            return
        trial.is_started = True
        self._stop.note_begin()
        run_id = trial.earlier.run_id if trial.earlier is not None else None
        self._put(TrialStarted(number, trial_name(number, trial.params), trial.params, trial.tags, run_id))

    def _record(self, number: int, trial: _Trial, outcome: FoldOutcome, result: scores.FoldResult) -> None:
        trial.results[outcome.fold] = result
        trial.error = trial.error or result.get("fit_error") or outcome.traceback
        if self._sample is None or (self._sample.get("fit_error") and not result.get("fit_error")):
            self._sample = result
        metrics = scores.fold_metrics(outcome.fold, result)
        if outcome.fold not in trial.replayed:
            key = trial.keys.get(outcome.fold)
            noted = {SCORE_ERROR: outcome.traceback} if outcome.traceback else {}
            tags = result_tag(key, {**result, **noted}) if key and not outcome.lost else {}
            if trial.borrowed is not None and key in trial.borrowed.results:
                tags[names.REUSED] = trial.borrowed.run_id
            self._put(FoldEnded(number, outcome.fold, metrics, tags))
        if outcome.model is None:
            return
        ranked = metrics.get(f"split{outcome.fold}_{self._ranked_by(result).removeprefix('mean_')}", math.nan)
        trial.models.append((-math.inf if math.isnan(ranked) else ranked, outcome.model))
        if self.log_models == "best_fold":
            trial.models = [max(trial.models, key=lambda model: model[0])]

    def _ranked_by(self, result: scores.FoldResult) -> str:
        available = [f"mean_test_{name}" for name in scores.score_names([result])]
        if self.metric is None or (self.metric not in available and len(available) == 1):
            return available[0]
        return self.metric

    def _end(
        self,
        number: int,
        status: RunStatus,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        trial = self._open[number]
        if not trial.is_replay:
            self._start(number)
        del self._open[number]
        results = [trial.results[fold] for fold in sorted(trial.results)]
        is_whole = bool(results) and len(results) == trial.n_folds
        if metrics is None:
            metrics = scores.trial_metrics(results) if is_whole else {}
            if is_whole and not trial.error:
                self.metric = self._ranked_by(results[0])
        value = metrics.get(self.metric or "")
        score = None if value is None else self._sign * value
        self._stop.note_end(score)
        self.failures.note(trial.error)
        self.on_trial_ended(number, score)
        models = self._kept_models(trial, status)
        tags = {**(tags or {}), **({names.LOST: trial.lost} if trial.lost else {})}
        ended = TrialEnded(number, status, metrics, score, trial.error, models, tags)
        if trial.earlier is not None and trial.is_replay:
            self._put(TrialReplayed(number, trial.earlier.run_id, status, trial.params, metrics, score))
        else:
            self._put(ended)
        self._note_best(ended, trial.params, value)

    def _kept_models(self, trial: _Trial, status: RunStatus) -> tuple[FittedModel, ...]:
        if status is not RunStatus.FINISHED:
            return ()
        return tuple(model for _, model in sorted(trial.models, key=lambda ranked: ranked[1].fold or 0))

    def _note_best(self, ended: TrialEnded, params: Mapping[str, Any], value: float | None) -> None:
        if ended.score is None or value is None or not math.isfinite(ended.score):
            return
        is_better = self.best is None or self.best.score is None or ended.score > self.best.score
        if is_better and self.metric is not None:
            self.best = ended
            self._put(BestChanged(ended.trial, self.metric, value, params))

    def _put(self, event: StudyEvent) -> None:
        self.writer.put(event)
        self.show(event)
