"""Running a prepared study: the search of its strategy, tracked."""

from __future__ import annotations

from typing import Any

from mlflow_hpo.core.config import Progress, Tracking
from mlflow_hpo.project.prepare import PreparedStudy
from mlflow_hpo.project.study_file.schema import StudySection
from mlflow_hpo.study.progress import is_terminal

_MOST_INITIAL_POINTS = 10


def build_search(prepared: PreparedStudy) -> Any:
    """Return the search that a study asks for, not fitted yet.

    Parameters
    ----------
    prepared : PreparedStudy
        The study.

    Returns
    -------
    search
        A `GridSearchCV`, `RandomizedSearchCV` or `GPSearchCV` of this package.
    """
    from mlflow_hpo.search import GPSearchCV, GridSearchCV, RandomizedSearchCV

    config, space = prepared.study.config, prepared.study.space
    common = {
        "scoring": prepared.scoring.scoring,
        "refit": prepared.scoring.refit,
        "cv": prepared.splitter,
        "n_jobs": config.n_jobs,
        "tracking": build_tracking(config),
    }
    if config.strategy == "grid":
        return GridSearchCV(prepared.estimator, space.to_grid(), **common)
    if config.strategy == "random":
        return RandomizedSearchCV(
            prepared.estimator,
            space.to_distributions(),
            n_iter=prepared.n_trials,
            random_state=config.seed,
            **common,
        )
    return GPSearchCV(
        prepared.estimator,
        space.to_dimensions(),
        n_calls=prepared.n_trials,
        n_initial_points=_initial_points(config.initial_points, prepared.n_trials),
        random_state=config.seed,
        **common,
    )


def run_study(prepared: PreparedStudy) -> Any:
    """Run a prepared study.

    Parameters
    ----------
    prepared : PreparedStudy
        The study.

    Returns
    -------
    search
        The fitted search; `study_` says where the study is in MLflow.
    """
    samples = prepared.samples
    params = {} if samples.groups is None else {"groups": samples.groups}
    return build_search(prepared).fit(samples.X, samples.y, **params)


def build_tracking(config: StudySection) -> Tracking:
    """Return how a study is tracked."""
    return Tracking(
        study=config.name,
        register_as=config.register_as,
        alias=config.alias,
        log_models=config.log_models,
        keep_best=config.keep_best,
        resume=config.resume,
        warm_start_from=config.warm_start_from,
        max_seconds=config.max_seconds,
        patience=config.patience,
        isolation=config.isolation,
        backend=config.backend,
        n_threads=config.n_threads,
        scheduler=config.scheduler,
        trial_seconds=config.trial_seconds,
        nan_loss=config.nan_loss,
        report=config.report,
        progress=_progress(config.progress),
        tags=dict(config.tags) or None,
    )


def _progress(asked: Progress) -> Progress:
    """Return how a command shows its study: unlike a program of the user's, it has nothing else to say."""
    return "lines" if asked == "auto" and not is_terminal() else asked


def _initial_points(given: int | None, trials: int) -> int:
    # Half of a short search is random, so that the model has something to learn from and still decides something.
    half = max(1, trials // 2)
    return min(_MOST_INITIAL_POINTS, half) if given is None else min(given, trials)
