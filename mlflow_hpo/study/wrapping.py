"""`FoldWrapper`: turns a search's folds into tasks that the study hears of, and their outcomes back into results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from joblib.parallel import BatchedCalls
from sklearn.model_selection._search import BaseSearchCV

from mlflow_hpo.core.config import NanLoss
from mlflow_hpo.core.errors import UnsupportedOptionError
from mlflow_hpo.study.channel import EventChannel
from mlflow_hpo.study.executors._worker import tell_study
from mlflow_hpo.study.fold import FoldEvent, FoldOutcome, FoldTask
from mlflow_hpo.study.study import Study
from mlflow_hpo.tracking.models import ModelTemplate

_FIT_AND_SCORE = "_fit_and_score"


class FoldWrapper:
    """Turns a search's folds into tasks that the study hears of, and their outcomes back into results.

    Parameters
    ----------
    search : BaseSearchCV
        The search whose folds they are.

    Attributes
    ----------
    before_fold : callable
        Called with a candidate's number in its call before each of its folds is made a task.
    n_threads : int or None
        How many threads an operation uses in a fold, where that is known.
    """

    def __init__(self, search: BaseSearchCV) -> None:
        self._search = search
        self._attached: Study | None = None
        self._template: ModelTemplate | None = None
        self._nan_loss: NanLoss = "ignore"
        self._channel: EventChannel | None = None
        self.before_fold: Callable[[int], object] = lambda candidate: None
        self.n_threads: int | None = None

    @property
    def estimator(self) -> Any:
        """What the search fits."""
        return self._search.estimator

    def attach(self, study: Study, template: ModelTemplate | None, nan_loss: NanLoss = "ignore") -> None:
        """Say which study the folds belong to: it opens after joblib has taken the backend, before the first fold.

        Parameters
        ----------
        study : Study
        template : ModelTemplate or None
            What is the same for all models; None where no trial's model is kept.
        nan_loss : {"fail", "ignore"}
            Whether an epoch whose loss is NaN or infinite ends its fold.
        """
        self._nan_loss = nan_loss
        self._attached = study
        self._template = template

    @property
    def _study(self) -> Study:
        assert self._attached is not None, "a fold came before its study was open"
        return self._attached

    def wrap(self, batch: BatchedCalls, *, in_process: bool) -> BatchedCalls:
        """Put a task in the place of each fold of the batch."""
        batch.items = [
            (self._task(function, args, kwargs, self._emit(in_process)), (), {})
            if self._is_ours(function, kwargs)
            else item
            for item in batch.items
            for function, args, kwargs in [item]
        ]
        return batch

    def wrap_one(self, batch: BatchedCalls) -> FoldTask:
        """Return the fold that is all there is in a batch, for an executor."""
        ((function, args, kwargs),) = batch.items
        if not self._is_ours(function, kwargs):
            raise UnsupportedOptionError(
                f"Worker processes of ours run the folds of a search, and {type(self._search).__name__} runs "
                f"something else in parallel, too: {function!r}."
            )
        return self._task(function, args, kwargs, tell_study)

    def hear(self, event: FoldEvent) -> bool:
        """Pass an event of a fold on to the study."""
        return self._study.hear(event)

    def unwrap(self, results: list[Any]) -> list[Any]:
        """Tell the study of each outcome, and return what the search waits for; raise what a fold raised."""
        return [self._result(item) if isinstance(item, FoldOutcome) else item for item in results]

    def close(self) -> None:
        """Hear no more of other processes."""
        if self._channel is not None:
            self._channel.close()

    def _is_ours(self, function: Any, kwargs: dict[str, Any]) -> bool:
        name = getattr(getattr(function, "function", function), "__name__", None)
        return name == _FIT_AND_SCORE and kwargs.get("caller") is self._search

    def _task(
        self,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        emit: Callable[[FoldEvent], bool],
    ) -> FoldTask:
        in_process = emit == self.hear
        candidate, fold = kwargs["candidate_progress"][0], kwargs["split_progress"][0]
        try:
            self.before_fold(candidate)
        except Exception as error:  # joblib's thread would die of it, and the search wait for ever
            return FoldTask(-1, fold, _raising, (error,), {}, emit, keep_model=False)
        trial = self._study.trial_number(candidate)
        # An executor asks when it has a worker for the fold; of joblib's backends nobody does.
        skipped, is_queued = partial(self._study.skipped_result, trial), emit == tell_study
        recorded = None if is_queued else skipped()
        return FoldTask(
            trial=trial,
            fold=fold,
            function=function,
            args=args,
            kwargs=kwargs if in_process else _without_search(kwargs),
            emit=emit,
            keep_model=self._template is not None,
            template=None if in_process else self._template,
            run=self._run_of(trial, args[0], in_process),
            nan_loss=self._nan_loss,
            tags=self._study.run.tags_inside(trial),
            recorded=recorded or self._study.known_result(trial, fold, kwargs["train"], kwargs["test"]),
            ask=skipped if is_queued else None,
        )

    def _emit(self, in_process: bool) -> Callable[[FoldEvent], bool]:
        if in_process:
            return self.hear
        if self._channel is None:
            self._channel = EventChannel(self._study.hear)
        return self._channel.remote

    def _run_of(self, trial: int, estimator: Any, in_process: bool) -> Any:
        if in_process:
            return lambda: self._study.trial_run(trial)
        # Waiting for the run costs time, so only where a study can begin inside the fold.
        return _Known(*self._study.trial_run(trial)) if _has_tracked_search(estimator) else None

    def _result(self, outcome: FoldOutcome) -> Any:
        self._study.end_fold(outcome)
        if outcome.exception is not None:
            if outcome.exception.__traceback__ is None:  # it has not come along from another process
                outcome.exception.add_note(f"There it was:\n{outcome.traceback}")
            raise outcome.exception
        survives = getattr(self._search, "survives_failed_candidates", False)
        return {**(outcome.result or {}), "fit_error": None} if survives else outcome.result


def _without_search(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave out what scikit-learn's callbacks ask for, if there are none.

    The search need not pickle, and is less to import. The context knows all folds of the search: with each of them all
    of it would travel, and a fold would cost more the longer the search is.
    """
    if getattr(kwargs["caller"], "_skl_callbacks", None):
        return kwargs
    return {name: None if name in ("caller", "callback_ctx") else value for name, value in kwargs.items()}


def _raising(error: Exception) -> Any:
    raise error


class _Known:
    """A trial's run as it is told to another process."""

    def __init__(self, tracking_uri: str, run_id: str) -> None:
        self._run = (tracking_uri, run_id)

    def __call__(self) -> tuple[str, str]:
        return self._run


def _has_tracked_search(estimator: Any) -> bool:
    nested = [estimator, *estimator.get_params(deep=True).values()]
    return any(isinstance(value, BaseSearchCV) and getattr(value, "tracking", False) is not False for value in nested)
