"""One fold of one trial, ready to run wherever an executor puts it, and what comes back from there."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow_hpo.core.config import NanLoss
from mlflow_hpo.core.errors import HPOError
from mlflow_hpo.core.events import SCORE_ERROR, FittedModel, FoldStarted
from mlflow_hpo.core.reporting import EpochEnded, Reporter, TrialRun, reporting
from mlflow_hpo.study.named_logs import named_logs
from mlflow_hpo.study.scoring import noted

if TYPE_CHECKING:
    from mlflow_hpo.tracking.models import ModelTemplate

FoldEvent = FoldStarted | EpochEnded


@dataclass(frozen=True)
class FoldOutcome:
    """What a fold gives back.

    Parameters
    ----------
    trial, fold : int
        Which one it was.
    result : mapping or None
        What `_fit_and_score` returned; None where it raised.
    exception : Exception or None
        What it raised.
    traceback : str or None
        Where it raised; with a result, where a scorer did.
    model : FittedModel or None
        What it fitted, if that is kept.
    undelivered : tuple of events
        Those that the channel could not take while the fold ran, in order.
    lost : str or None
        Why the process that it ran in could not finish it: it died, or ran for too long. None where the fold has come
        to its own end, be it an exception.
    """

    trial: int
    fold: int
    result: Mapping[str, Any] | None = None
    exception: Exception | None = None
    traceback: str | None = None
    model: FittedModel | None = None
    undelivered: tuple[FoldEvent, ...] = ()
    lost: str | None = None


@dataclass(frozen=True)
class FoldTask:
    """A call of scikit-learn's `_fit_and_score` that reports what happens.

    Parameters
    ----------
    trial, fold : int
        Numbers from 0.
    function, args, kwargs
        The call as the search made it.
    emit : callable
        Takes the fold's events, returns False for one that it could not deliver.
    keep_model : bool
        Whether the fitted estimator comes back with the result.
    template : ModelTemplate or None
        Given where the fold runs in another process: the fitted estimator comes back packed.
    run : callable or None
        Gives the trial's run to a study that begins inside the fold.
    nan_loss : {"fail", "ignore"}
        Whether an epoch whose loss is NaN or infinite ends the fold.
    tags : mapping of str to str
        What a run is tagged with that user code begins inside the fold.
    recorded : mapping or None
        The result, where the study has it without training: an earlier start has found it, or the study is over.
    ask : callable or None
        Returns such a result when it is the fold's turn, in the study's process.
    """

    trial: int
    fold: int
    function: Callable[..., dict[str, Any]]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    emit: Callable[[FoldEvent], bool]
    keep_model: bool
    template: ModelTemplate | None = None
    run: TrialRun | None = None
    nan_loss: NanLoss = "ignore"
    tags: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, Any] | None = None
    ask: Callable[[], Mapping[str, Any] | None] | None = None
    _undelivered: list[FoldEvent] = field(default_factory=list)

    def __call__(self) -> FoldOutcome:
        """Run the fold; an exception comes back as part of the outcome."""
        if (known := self.known()) is not None:
            return known
        self._emit(FoldStarted(self.trial, self.fold))
        scorer = noted(self.kwargs.get("scorer"))
        try:
            reporter = Reporter(self.trial, self.fold, self._emit, self.run, self.nan_loss, self.tags)
            with named_logs(), reporting(reporter):
                result = self.function(*self.args, **self._wanted(scorer))
        except Exception as error:
            return FoldOutcome(
                self.trial,
                self.fold,
                exception=error,
                traceback=traceback.format_exc(),
                undelivered=tuple(self._undelivered),
            )
        estimator = result.pop("estimator", None) if self.keep_model else None
        is_whole = estimator is not None and not result.get("fit_error") and scorer.error is None
        return FoldOutcome(
            self.trial,
            self.fold,
            result,
            traceback=scorer.error,
            model=self._model(estimator) if is_whole else None,
            undelivered=tuple(self._undelivered),
        )

    def known(self) -> FoldOutcome | None:
        """Return the outcome, where it needs no training."""
        result = self.recorded
        if result is None and self.ask is not None:
            result = self.ask()
        if result is None:
            return None
        found = dict(result)
        return FoldOutcome(self.trial, self.fold, found, traceback=found.pop(SCORE_ERROR, None))

    def __getstate__(self) -> dict[str, Any]:
        return {"_quiet": _Quiet(), **self.__dict__, "ask": None}  # in this order: what follows may import TensorFlow

    def _wanted(self, scorer: Any) -> dict[str, Any]:
        wanted = {**self.kwargs, **({"scorer": scorer} if "scorer" in self.kwargs else {})}
        return {**wanted, "return_estimator": True} if self.keep_model else wanted

    def _model(self, estimator: Any) -> FittedModel | None:
        if self.template is None:
            return FittedModel(self.fold, estimator=estimator)
        # It imports MLflow, for which a worker need not wait before.
        from mlflow_hpo.tracking.packing import pack_estimator

        try:
            return FittedModel(self.fold, packed=pack_estimator(estimator, self.template))
        except HPOError:
            return None

    def _emit(self, event: FoldEvent) -> None:
        if not self.emit(event):
            self._undelivered.append(event)


class _Quiet:
    """Keeps TensorFlow from greeting in the process that it arrives in, which would do so over the study's display."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _quiet, ()


def _quiet() -> _Quiet:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return _Quiet()
