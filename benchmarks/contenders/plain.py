"""scikit-learn's random search over scikeras's classifier: what users have today."""

from __future__ import annotations

from typing import Any

from scikeras.wrappers import KerasClassifier
from sklearn.model_selection import RandomizedSearchCV

from benchmarks.contenders._sklearn import fit_settings, found
from benchmarks.contenders.contract import Found, Timed
from benchmarks.searches import Search


def make_search(search: Search, seed: int, workers: int = 1) -> Any:
    """Return the search, not fitted."""
    defaults = {f"model__{name}": value for name, value in search.candidates(seed)[0].items()}
    return RandomizedSearchCV(
        KerasClassifier(search.create_model, **defaults, **fit_settings(search)),
        search.distributions(seed, prefix="model__"),
        n_iter=search.n_candidates,
        n_jobs=workers,
        cv=search.splitter(seed),
        random_state=seed,
    )


def prepare(search: Search, seed: int, workers: int = 1) -> Timed:
    X, y = search.data()
    estimator = make_search(search, seed, workers)

    def run() -> Found:
        return found(estimator.fit(X, y), search)

    return run
