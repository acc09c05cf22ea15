"""When a study begins no more trials: its time is over, or it has stopped getting better."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class StopRule:
    """Hears of a study's trials as they begin and end, and says when there are to be no more.

    A study is over only after a trial has ended: a search without any result would have nothing to return.

    Parameters
    ----------
    max_seconds : float or None
        How long trials may begin, from the first that trains. What an earlier start has found costs no time.
    patience : int or None
        How many trials may end one after the other without a better score than all before them.
    clock : callable
        Returns seconds.
    """

    max_seconds: float | None = None
    patience: int | None = None
    clock: Callable[[], float] = time.monotonic
    _begin: float | None = None
    _n_ended: int = 0
    _best: float = field(default=-math.inf)
    _n_worse: int = 0

    def note_begin(self) -> None:
        """Note that a trial begins to train."""
        if self._begin is None:
            self._begin = self.clock()

    def note_end(self, score: float | None) -> None:
        """Note that a trial has ended.

        Parameters
        ----------
        score : float or None
            Greater is better; None or NaN where it has failed.
        """
        self._n_ended += 1
        if score is not None and score > self._best:
            self._best, self._n_worse = score, 0
        else:
            self._n_worse += 1

    @property
    def has_lost_patience(self) -> bool:
        """Whether so many trials were no better that another start would stop here, too."""
        return self.patience is not None and self._n_worse >= self.patience

    @property
    def is_out_of_time(self) -> bool:
        """Whether the time is over."""
        if self.max_seconds is None or self._begin is None or self._n_ended == 0:
            return False
        return self.clock() - self._begin >= self.max_seconds

    @property
    def reason(self) -> str | None:
        """Why there are to be no more trials; None while there are."""
        if self.has_lost_patience:
            return f"{self.patience} trials in a row were no better (patience={self.patience})"
        if self.is_out_of_time:
            return f"its time is over (max_seconds={self.max_seconds:g})"
        return None
