"""What goes wrong while a fold is scored: scikit-learn gives it an error score, and tells of it in a warning only."""

from __future__ import annotations

import traceback
from typing import Any

from sklearn.metrics._scorer import _MultimetricScorer


class NotedScorer:
    """A scorer that does what another does, and keeps the traceback of what that raises.

    Parameters
    ----------
    scorer : callable
        Of one score, or of several by name.

    Attributes
    ----------
    error : str or None
        The first traceback.
    """

    error: str | None = None

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Score as the scorer does."""
        try:
            return self._scorer(*args, **kwargs)
        except Exception:
            self.error = self.error or traceback.format_exc()
            raise

    def __repr__(self) -> str:  # scikit-learn names the scorer that returns no number
        return repr(self._scorer)


class NotedScorers(_MultimetricScorer):
    """Several of scikit-learn's scorers, as `NotedScorer`; what fails has its traceback in the place of a score."""

    error: str | None = None

    def __init__(self, scorers: _MultimetricScorer) -> None:
        super().__init__(scorers=scorers._scorers, raise_exc=scorers._raise_exc)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Score as the scorers do."""
        scores = super().__call__(*args, **kwargs)
        self.error = self.error or next((score for score in scores.values() if isinstance(score, str)), None)
        return scores


def noted(scorer: Any) -> NotedScorer | NotedScorers:
    """Return the scorer, noting what goes wrong.

    Parameters
    ----------
    scorer : callable
        As scikit-learn's `_fit_and_score` takes it.
    """
    return NotedScorers(scorer) if isinstance(scorer, _MultimetricScorer) else NotedScorer(scorer)
