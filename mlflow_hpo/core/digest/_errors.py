"""What is raised for a value that has no digest."""

from __future__ import annotations

from typing import Any

from mlflow_hpo.core.errors import HPOError, brief


class UndigestibleError(HPOError, TypeError):
    """A value has nothing that would be the same in another process, so that no digest of it can be given.

    Attributes
    ----------
    path : str
        Where the culprit was found, such as "estimator.callbacks[0].lock".
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.path = ""

    def enter(self, label: str) -> None:
        """Put the label of what holds the path so far in front of it."""
        self.path = label + self.path

    def __str__(self) -> str:
        kind, reason = self.args
        return (
            f"{self.path.removeprefix('.') or 'the value'} ({kind}) cannot be digested: {reason}. Create it where it "
            "is used instead of handing it over, or leave it out of what its holder pickles (__getstate__)."
        )


def undigestible(culprit: Any, reason: str | BaseException) -> UndigestibleError:
    """Make the error for a value: the reason is a clause, or what its class raised when asked for its state."""
    kind = type(culprit)
    said = reason if isinstance(reason, str) else brief(reason)
    return UndigestibleError(f"{kind.__module__}.{kind.__qualname__}", said)
