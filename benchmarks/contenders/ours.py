"""The random search and the classifier of this project."""

from __future__ import annotations

import uuid

from benchmarks.contenders._sklearn import fit_settings, found
from benchmarks.contenders.contract import Found, Timed
from benchmarks.searches import Search
from mlflow_hpo import KerasClassifier, RandomizedSearchCV, Tracking


def prepare(search: Search, seed: int, log_models: str | None = None) -> Timed:
    """Prepare the search.

    Parameters
    ----------
    search : Search
    seed : int
    log_models : {"best_fold", "all_folds", "none"} or None
        Which models are kept; None tracks nothing at all.
    """
    X, y = search.data()
    if log_models is not None:
        import mlflow

        # A server outlives the run, so each run gets an experiment of its own.
        mlflow.set_experiment(f"benchmark {uuid.uuid4().hex}")
    estimator = RandomizedSearchCV(
        KerasClassifier(search.create_model, **fit_settings(search)),
        search.distributions(seed),
        n_iter=search.n_candidates,
        cv=search.splitter(seed),
        random_state=seed,
        tracking=False if log_models is None else Tracking(log_models=log_models),
    )

    def run() -> Found:
        return found(estimator.fit(X, y), search)

    return run
