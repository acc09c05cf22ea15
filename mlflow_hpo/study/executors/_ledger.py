"""What is known of each trial across its folds: how long they have run, whose worker has died, which are given up."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mlflow_hpo.study.executors.errors import TrialLostError, died, out_of_time

_DEATHS = 2  # as many end a trial


@dataclass
class _Account:
    """A trial's."""

    seconds: float = 0.0
    running_since: list[float] = field(default_factory=list)
    exit_codes: list[int | None] = field(default_factory=list)
    verdict: TrialLostError | None = None


class TrialLedger:
    """Decides when a trial is given up; from any thread.

    Parameters
    ----------
    trial_seconds : float or None
        How long the folds of a trial may run, all together.
    """

    def __init__(self, trial_seconds: float | None = None) -> None:
        self._limit = trial_seconds
        self._accounts: defaultdict[int, _Account] = defaultdict(_Account)
        self._lock = threading.Lock()

    def verdict(self, trial: int) -> TrialLostError | None:
        """Return why a trial is given up, or None where it goes on."""
        with self._lock:
            return self._accounts[trial].verdict

    @contextmanager
    def running(self, trial: int) -> Iterator[None]:
        """Count the time in this context as the trial's."""
        account, begin = self._accounts[trial], time.monotonic()
        with self._lock:
            account.running_since.append(begin)
        try:
            yield
        finally:
            with self._lock:
                account.running_since.remove(begin)
                account.seconds += time.monotonic() - begin

    def remaining(self, trial: int) -> float:
        """Return for how many seconds the folds of a trial that run now may go on."""
        if self._limit is None:
            return math.inf
        with self._lock:
            account, now = self._accounts[trial], time.monotonic()
            used = account.seconds + sum(now - begin for begin in account.running_since)
            return (self._limit - used) / max(1, len(account.running_since))

    def note_death(self, trial: int, exit_code: int | None) -> None:
        """Take note that a worker has died over a fold of a trial; the second one is the last."""
        with self._lock:
            account = self._accounts[trial]
            account.exit_codes.append(exit_code)
            if len(account.exit_codes) >= _DEATHS and account.verdict is None:
                account.verdict = died(account.exit_codes)

    def note_timeout(self, trial: int) -> None:
        """Take note that a trial has run for as long as it may."""
        with self._lock:
            account = self._accounts[trial]
            account.verdict = account.verdict or out_of_time(self._limit or 0.0)
