"""The random search and the classifier of this project."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from typing import Any

from joblib import parallel_config

from benchmarks.contenders._sklearn import fit_settings, found
from benchmarks.contenders.contract import Found, Timed
from benchmarks.searches import Search
from mlflow_hpo import KerasClassifier, RandomizedSearchCV, Tracking


def prepare(
    search: Search,
    seed: int,
    log_models: str | None = None,
    workers: int = 1,
    joblib_backend: str | None = None,
    **tracking: Any,
) -> Timed:
    """Prepare the search.

    Parameters
    ----------
    search : Search
    seed : int
    log_models : {"best_fold", "all_folds", "none"} or None
        Which models are kept; None tracks nothing at all.
    workers : int
    joblib_backend : str or None
        What the user has joblib use; None leaves it as it is.
    **tracking
        More that is asked of `Tracking`.
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
        n_jobs=workers,
        cv=search.splitter(seed),
        random_state=seed,
        tracking=False if log_models is None else Tracking(log_models=log_models, **tracking),
    )

    def run() -> Found:
        with nullcontext() if joblib_backend is None else parallel_config(backend=joblib_backend):
            return found(estimator.fit(X, y), search)

    return run
