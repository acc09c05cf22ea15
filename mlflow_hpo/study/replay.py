"""`Replay`: which results of an earlier start of a study stand for trials and folds of this one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.digest import UndigestibleError, digest, digest_parts
from mlflow_hpo.tracking.earlier import EarlierStudy, EarlierTrial

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """What the results of a study depend on besides its candidates.

    Parameters
    ----------
    parts : mapping of str to str
        A digest by name, `data` say.
    """

    parts: Mapping[str, str]

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> Identity | None:
        """Digest what a study depends on; None, with a warning, where something in it cannot be digested."""
        try:
            return cls(digest_parts(parts))
        except UndigestibleError as error:
            _logger.warning("This study cannot be resumed if it is interrupted. %s", error)
            return None


@dataclass
class Replay:
    """Hands out what an earlier start has found; without an identity, nothing.

    Parameters
    ----------
    identity : Identity or None
        Of the study.
    earlier : EarlierStudy
        What an earlier start of the same study has found: its trials are this one's.
    other : EarlierStudy
        What another study has found: its results are taken over, its trials stay there.
    """

    identity: Identity | None = None
    earlier: EarlierStudy = field(default_factory=EarlierStudy)
    other: EarlierStudy = field(default_factory=EarlierStudy)

    def key_of(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
        """Return the key of a trial: the same where all that decides its result is.

        Parameters
        ----------
        params : mapping of str to object
            The candidate.
        tags : mapping of str to str
            What else distinguishes it, halving's resources say.
        """
        if self.identity is None:
            return None
        try:
            return digest([self.identity.parts, params, tags])
        except UndigestibleError as error:
            _logger.warning("A trial cannot be taken over by a later start. %s", error)
            return None

    def take(self, key: str | None) -> EarlierTrial | None:
        """Return the earlier trial with a key, if there is one that nobody has taken."""
        return None if key is None else self.earlier.take(key)

    def borrow(self, key: str | None) -> EarlierTrial | None:
        """Return another study's trial with a key, if there is one that nobody has borrowed."""
        return None if key is None else self.other.take(key)

    @property
    def earlier_run(self) -> str | None:
        """The run of an earlier start whose trials are this one's; None where there is none, or something changed."""
        return self.earlier.run_id if self.identity is not None and not self._changes(self.identity) else None

    def _changes(self, identity: Identity) -> list[str]:
        return [name for name, part in identity.parts.items() if self.earlier.parts.get(name) != part]

    def explain(self) -> None:
        """Say what is taken over, or why nothing is."""
        if self.identity is None or self.earlier.run_id is None:
            return
        changed = self._changes(self.identity)
        if changed:
            _logger.warning(
                "The trials of the earlier start (run %s) are other trials, because this has changed: %s.",
                self.earlier.run_id,
                ", ".join(changed),
            )
        else:
            _logger.info("Going on with run %s, which has %d trials.", self.earlier.run_id, self.earlier.n_trials)


def fold_key(fold: int, train: Any, test: Any) -> str:
    """Return the key of a fold within its trial: which rows it trains and tests on."""
    return f"split{fold}.{digest([train, test])[:16]}"
