"""What went wrong where nothing went right."""

from __future__ import annotations

from collections import Counter


class Failures:
    r"""Counts the trials of a study that have failed, by their causes.

    Examples
    --------
    >>> failures = Failures()
    >>> failures.note("Traceback (most recent call last): ...\nValueError: no such activation")
    >>> failures.summary
    'The only trial that ended has failed: ValueError: no such activation'
    >>> failures.note(None)
    >>> failures.summary
    """

    def __init__(self) -> None:
        self._causes: Counter[str] = Counter()
        self._n_ended = 0

    def note(self, error: str | None) -> None:
        """Note that a trial has ended.

        Parameters
        ----------
        error : str or None
            Traceback or cause of its failure; None where it has not failed.
        """
        self._n_ended += 1
        if error is not None:
            self._causes[error.strip().splitlines()[-1]] += 1

    @property
    def summary(self) -> str | None:
        """One line with the commonest cause, if all trials that have ended failed; None where one did not."""
        if not self._causes or sum(self._causes.values()) < self._n_ended:
            return None
        ((cause, count),) = self._causes.most_common(1)
        if self._n_ended == 1:
            return f"The only trial that ended has failed: {cause}"
        share = "each" if count == self._n_ended else f"{count}"
        return f"All {self._n_ended} trials failed, {share} of them by: {cause}"
