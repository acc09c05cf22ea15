"""How code that trains tells the study around it what happens, without knowing that study.

The study opens a `reporting` context around each fold (or each call of an objective); whatever trains inside it asks
for `current_reporter()` and reports its epochs there. Outside of a study there is no reporter, and nothing is reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.config import NanLoss
from mlflow_hpo.core.errors import NonFiniteLossError
from mlflow_hpo.core.inside import inside


@dataclass(frozen=True)
class EpochEnded:
    """One epoch of one fit has ended.

    Parameters
    ----------
    trial : int or None
        Number of the trial in its study, from 0; None for the refit of the best.
    fold : int or None
        Split index from 0, or None for a trial without folds.
    fit : int
        Which fit inside the fold, from 0: a stack fits its members more than once.
    epoch : int
        Epoch from 0.
    metrics : mapping of str to float
        What Keras reports at the epoch's end, `val_` metrics included.
    time_ms : int
        When it ended, in milliseconds since the epoch of the clock.
    """

    trial: int | None
    fold: int | None
    fit: int
    epoch: int
    metrics: Mapping[str, float]
    time_ms: int = field(default_factory=now_ms)


class TrialRun(Protocol):
    """Where the run of a trial is kept; asking may wait until it exists."""

    def __call__(self) -> tuple[str, str]:
        """Return the tracking URI and the run id."""
        ...


class Reporter:
    """The ear of one fold (or one objective call): counts its fits and passes its epochs on.

    Parameters
    ----------
    trial : int or None
        Number of the trial in its study, from 0; None for the refit of the best.
    fold : int or None
        Split index from 0, or None for a trial without folds.
    emit : callable
        Takes each `EpochEnded`; cheap, never blocks, raises nothing but what is to end the fold.
    run : TrialRun or None
        Gives the run that a study nests in, which begins inside this fold.
    nan_loss : {"fail", "ignore"}
        Whether an epoch whose loss is NaN or infinite ends the fit.
    tags : mapping of str to str
        What a run is tagged with that user code begins inside.
    """

    def __init__(
        self,
        trial: int | None,
        fold: int | None,
        emit: Callable[[EpochEnded], object],
        run: TrialRun | None = None,
        nan_loss: NanLoss = "ignore",
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.trial = trial
        self.fold = fold
        self.run = run
        self.tags = dict(tags or {})
        self.last_model: Any = None
        self._nan_loss = nan_loss
        self._emit = emit
        self._fits = 0

    def begin_fit(self, model: Any) -> int:
        """Note that a fit of `model` begins, and return its number within the fold, from 0."""
        self.last_model = model
        self._fits += 1
        return self._fits - 1

    def end_epoch(self, fit: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Report the metrics of an epoch (from 0) of the fit that `begin_fit` numbered.

        Raises
        ------
        NonFiniteLossError
            The loss is NaN or infinite, and that ends the fit.
        """
        values = {name: float(value) for name, value in metrics.items()}
        self._emit(EpochEnded(self.trial, self.fold, fit, epoch, values))
        loss = values.get("loss", 0.0)
        if self._nan_loss == "fail" and not math.isfinite(loss):
            raise NonFiniteLossError(
                f"The loss is {loss} after epoch {epoch + 1}; a smaller learning rate may help. "
                "Tracking(nan_loss='ignore') trains on."
            )


_current: ContextVar[Reporter | None] = ContextVar("mlflow_hpo_reporter", default=None)


def current_reporter() -> Reporter | None:
    """Return the reporter of the fold that runs in this context, or None outside of a study."""
    return _current.get()


@contextmanager
def reporting(reporter: Reporter | None) -> Iterator[Reporter | None]:
    """Make `reporter` the one that `current_reporter` returns while the context is open."""
    token = _current.set(reporter)
    try:
        with nullcontext() if reporter is None else inside(reporter.tags):
            yield reporter
    finally:
        _current.reset(token)
