"""`Study`: one search in progress. Knows its trials, hears of their folds, and tells the writer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlflow_hpo.core.config import LogModels
from mlflow_hpo.core.events import (
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
from mlflow_hpo.study.ranking import Ranking
from mlflow_hpo.study.replay import Replay, fold_key
from mlflow_hpo.study.stopping import StopRule
from mlflow_hpo.study.trial import OpenTrial
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.earlier import result_tag
from mlflow_hpo.tracking.runs import StudyRun
from mlflow_hpo.tracking.writer import Writer

_logger = logging.getLogger(__name__)
# The key of what a trial without folds has returned.
_VALUE = "value"


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
    ranking : Ranking
        What trials are ranked by.
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
        ranking: Ranking,
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
        self.ranking = ranking
        self._log_models = log_models
        self._open: dict[int, OpenTrial] = {}
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
            earlier, borrowed = self.replay.take(key), self.replay.borrow(key)
            is_skipped = None if may_skip else False
            self._open[self.n_trials] = OpenTrial(params, n_folds, known, earlier, borrowed, is_skipped)
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
            result: Mapping[str, Any] | None = trial.recorded(fold, fold_key(fold, train, test))
            return result

    def skipped_result(self, number: int) -> Mapping[str, Any] | None:
        """Return the result of a fold that is not to be trained because the study is over; None where it is not."""
        with self._lock:
            trial = self._open.get(number)
            return scores.blank(self._sample or {}) if trial is not None and self._skips(trial) else None

    def _skips(self, trial: OpenTrial) -> bool:
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
            return self._open[number].recorded(0, _VALUE)

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
            if not trial.has_replayed(outcome.fold):
                self._start(outcome.trial)
            trial.lost = trial.lost or outcome.lost
            if outcome.result is None:
                trial.error = trial.error or outcome.traceback
                self._end(outcome.trial, RunStatus.FAILED)
                return
            self._record(outcome.trial, trial, outcome, outcome.result)
            if trial.is_whole:
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
        self._tell(self.ranking.overrule(trial, params, value))

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
            if model is not None:
                self._open[number].keep(model, 0.0, self._log_models)
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

    def _record(self, number: int, trial: OpenTrial, outcome: FoldOutcome, result: scores.FoldResult) -> None:
        trial.take(outcome, result)
        if self._sample is None or (self._sample.get("fit_error") and not result.get("fit_error")):
            self._sample = result
        metrics = scores.fold_metrics(outcome.fold, result)
        if not trial.has_replayed(outcome.fold):
            self._put(FoldEnded(number, outcome.fold, metrics, trial.fold_tags(outcome, result)))
        if outcome.model is not None:
            trial.keep(outcome.model, self.ranking.fold_score(outcome.fold, result, metrics), self._log_models)

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
        if metrics is None:
            metrics = self._metrics_of(trial)
        score = self.ranking.score(metrics)
        self._stop.note_end(score)
        self.failures.note(trial.error)
        self.on_trial_ended(number, score)
        tags = {**(tags or {}), **({names.LOST: trial.lost} if trial.lost else {})}
        ended = TrialEnded(number, status, metrics, score, trial.error, trial.kept_models(status), tags)
        if trial.earlier is not None and trial.is_replay:
            self._put(TrialReplayed(number, trial.earlier.run_id, status, trial.params, metrics, score))
        else:
            self._put(ended)
        self._tell(self.ranking.challenge(ended, trial.params))

    def _metrics_of(self, trial: OpenTrial) -> dict[str, float]:
        """Return mean and spread over the folds of a trial that has all of them."""
        if not trial.is_whole:
            return {}
        results = [trial.results[fold] for fold in sorted(trial.results)]
        if not trial.error:
            self.ranking.settle(results[0])
        return scores.trial_metrics(results)

    def _tell(self, news: BestChanged | None) -> None:
        if news is not None:
            self._put(news)

    def _put(self, event: StudyEvent) -> None:
        self.writer.put(event)
        self.show(event)
