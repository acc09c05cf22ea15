"""Long studies: what a trial costs as they grow, what memory they take, how long they take to read back."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import loguniform

from benchmarks.searches import BATCH_SIZE, SEARCHES, digits

_FOLDS = 3
_WINDOW = 100


# One process measures one study.
_times: list[float] = []
_memory_mb: list[float] = []


def _stamping_accuracy(estimator: Any, X: Any, y: Any) -> float:
    """Return the accuracy, and note the time and the resident memory: it is called once for each fold."""
    score = float((estimator.predict(X) == y).mean())
    _times.append(time.perf_counter())
    _memory_mb.append(_resident_mb())
    return score


@dataclass(frozen=True)
class Study:
    """A long study.

    Parameters
    ----------
    name, title : str
    make_search : callable
        Returns the search for a number of candidates, not fitted.
    n_trials : int
    log_models : {"best_fold", "none"} or None
        Which models are kept; None tracks nothing.
    """

    name: str
    title: str
    make_search: Callable[[int, Any], Any]
    n_trials: int
    log_models: str | None

    def measure(self, *, quick: bool) -> dict[str, Any]:
        """Run the study and return its figures."""
        import mlflow

        from mlflow_hpo import Tracking

        X, y = digits()
        tracked = self.log_models is not None
        if tracked:
            mlflow.set_experiment("benchmark")
        n_trials = 12 if quick else self.n_trials
        search = self.make_search(n_trials, Tracking(log_models=self.log_models) if tracked else False)
        before = time.perf_counter()
        search.fit(X[:600], y[:600])
        end = time.perf_counter()
        figures = _figures(before, end, n_trials, min(_WINDOW, n_trials // 4))
        if tracked:
            figures |= _reading(search.study_.run_id)
        return figures


def _figures(before: float, end: float, n_trials: int, window: int) -> dict[str, Any]:
    # The last fold of each trial. What the first trial costs is start-up, so windows begin after it.
    ends = _times[_FOLDS - 1 :: _FOLDS]
    memory = _memory_mb
    return {
        "trials": n_trials,
        "fits": len(_times),
        "seconds": end - before,
        "first_trial_ms": 1000 * (ends[0] - before),
        "first_window_ms": 1000 * (ends[window] - ends[0]) / window,
        "last_window_ms": 1000 * (ends[-1] - ends[-1 - window]) / window,
        "after_last_trial_s": end - ends[-1],
        "window": window,
        # A tenth of the fits is warm-up.
        "warm_mb": memory[len(memory) // 10],
        "growth_mb": memory[-1] - memory[len(memory) // 10],
    }


def _reading(run_id: str) -> dict[str, float]:
    from mlflow_hpo.tracking.read import read_trials

    seconds = []
    for _ in range(5):
        before = time.perf_counter()
        table = read_trials(run_id)
        seconds.append(time.perf_counter() - before)
    return {"read_s": statistics.median(seconds), "read_rows": len(table)}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _sklearn(n_trials: int, tracking: Any) -> Any:
    from sklearn.linear_model import RidgeClassifier

    from mlflow_hpo import RandomizedSearchCV

    return RandomizedSearchCV(
        RidgeClassifier(),
        {"alpha": loguniform(1e-3, 1e3)},
        n_iter=n_trials,
        cv=_FOLDS,
        scoring=_stamping_accuracy,
        random_state=0,
        tracking=tracking,
    )


def _keras(n_trials: int, tracking: Any) -> Any:
    from mlflow_hpo import KerasClassifier, RandomizedSearchCV

    search = SEARCHES["digits"]
    return RandomizedSearchCV(
        KerasClassifier(search.create_model, epochs=1, batch_size=BATCH_SIZE, verbose=0, random_state=0),
        search.distributions(0),
        n_iter=n_trials,
        cv=_FOLDS,
        scoring=_stamping_accuracy,
        random_state=0,
        tracking=tracking,
    )


STUDIES = {
    study.name: study
    for study in (
        Study("sklearn", "RidgeClassifier, tracked, no models", _sklearn, 1000, "none"),
        Study("keras", "digits MLP, 1 epoch, tracked, a model per trial", _keras, 334, "best_fold"),
        Study("keras_untracked", "digits MLP, 1 epoch, untracked", _keras, 334, None),
    )
}
