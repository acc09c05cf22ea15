"""What every search class of ours adds to the library's: the study around `fit`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any

import pandas as pd

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.core.events import SearchEnded
from mlflow_hpo.core.reporting import reporting
from mlflow_hpo.search._describe import describe_settings, describe_space, planned_trials
from mlflow_hpo.search._proposals import Proposals
from mlflow_hpo.search._stopping import StudyOver
from mlflow_hpo.search._warm_start import recorded_points
from mlflow_hpo.study.backend import installed
from mlflow_hpo.study.session import StudySession, open_study
from mlflow_hpo.study.study import Study
from mlflow_hpo.study.wrapping import FoldWrapper
from mlflow_hpo.tracking.autolog import autologging_suspended
from mlflow_hpo.tracking.opening import StudyPlan
from mlflow_hpo.tracking.outcome import StudyOutcome
from mlflow_hpo.tracking.packing import template_of

_current: ContextVar[TrackedFit | None] = ContextVar("mlflow_hpo_fit", default=None)


class TrackedSearch:
    """Mixin that puts a study around the `fit` of a scikit-learn search.

    The study opens as the search begins to evaluate, when all that was given has been checked, and ends with `fit`. It
    is kept outside of the search, which scikit-learn sends along with every fold.
    """

    tracking: Tracking | bool | None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run the search as the library does, with every trial tracked in MLflow.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
        **params : dict
            What the library's `fit` takes.

        Returns
        -------
        self : object
            With `study_`, a `StudyResult`, besides what the library sets.
        """
        search: Any = super()
        if self.tracking is False:
            return search.fit(X, y, **params)
        with TrackedFit(self, tracking_of(self.tracking), X, y, params) as fit:
            search.fit(X, y, **params)
            self.study_ = fit.conclude()
        return self

    def _run_search(self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None) -> None:
        search: Any = super()
        # skopt's search takes no callback context.
        accepts = "callback_ctx" in inspect.signature(search._run_search).parameters
        extra = {"callback_ctx": callback_ctx} if accepts else {}
        fit = self._fit_in_progress
        if fit is None:
            search._run_search(evaluate_candidates, **extra)
            return
        fit.restore_backend()
        try:
            search._run_search(fit.announcing(evaluate_candidates), **extra)
        except StudyOver:
            self._leave_early()
        fit.end_search()

    # Whether the search lists its candidates before it has a score of any, and takes NaN for those that are not run.
    _lists_candidates = False

    def _leave_early(self) -> None:
        """Set what the library sets at the end of the loop that has been left."""

    @property
    def _fit_in_progress(self) -> TrackedFit | None:
        fit = _current.get()
        return fit if fit is not None and fit.is_of(self) else None


class TrackedFit:
    """One `fit` of a tracked search."""

    def __init__(self, search: Any, tracking: Tracking, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        self.tracking = tracking
        self._search = search
        self._data = (X, y)
        self._fit_params = fit_params
        self._stack = ExitStack()
        self._session: StudySession | None = None
        self._wrapper = FoldWrapper(search)
        self._restore_backend: Callable[[], None] | None = None

    def __enter__(self) -> TrackedFit:
        token = _current.set(self)
        self._stack.callback(_current.reset, token)
        self._stack.callback(self._wrapper.close)
        # From the start: MLflow's autologging wraps the library's `fit` itself.
        self._stack.enter_context(autologging_suspended())
        self._restore_backend = self._stack.enter_context(installed(self._wrapper, self.tracking))
        return self

    def __exit__(self, *exc_info: Any) -> bool | None:
        return self._stack.__exit__(*exc_info)

    def is_of(self, search: Any) -> bool:
        """Whether this is the fit of `search`, and not that of one around it."""
        return self._search is search

    def restore_backend(self) -> None:
        """Let the outer backend serve all else again: joblib's `Parallel` has captured ours."""
        assert self._restore_backend is not None
        self._restore_backend()

    def _begin(self, n_first: int) -> Study:
        """Open the study, if that is still to be done: all that was given has been checked now.

        `n_first` candidates are evaluated first.
        """
        if self._session is not None:
            return self._session.study
        template = template_of(self._search.estimator, *self._data)
        session = self._stack.enter_context(open_study(self._plan(n_first), self.tracking, template, *self._data))
        self._session = session
        session.note_threads(self._wrapper.n_threads)
        keeps_models = self.tracking.log_models != "none"
        self._wrapper.attach(session.study, template if keeps_models else None, self.tracking.nan_loss)
        return session.study

    def announcing(self, evaluate_candidates: Callable[..., Any]) -> Callable[..., Any]:
        """Return `evaluate_candidates` that tells the study which candidates are about to be evaluated."""

        def evaluate(candidate_params: Any, cv: Any = None, more_results: Any = None, **kwargs: Any) -> Any:
            candidates = list(candidate_params)
            study = self._begin(len(candidates))
            if isinstance(candidate_params, Proposals):
                self._await_names(candidate_params)
            else:
                lists_candidates = self._search._lists_candidates
                if not lists_candidates and study.is_over():
                    raise StudyOver
                tags = _tags(more_results, len(candidates))
                study.begin_candidates(candidates, self._search.n_splits_, tags, may_skip=lists_candidates)
            return evaluate_candidates(candidates, cv=cv, more_results=more_results, **kwargs)

        return evaluate

    def _await_names(self, proposals: Proposals) -> None:
        """Have candidates named, and taken on by the study, as their first folds begin."""
        assert self._session is not None
        study, n_splits = self._session.study, self._search.n_splits_
        study.begin_candidates([], n_splits)
        first = study.trial_number(0)
        if study.replay.earlier_run is not None:
            proposals.begin_with(recorded_points(study.replay.earlier_run, proposals.dimensions))

        def name(candidate: int) -> None:
            if candidate < study.n_trials - first:
                return
            is_over = study.is_over()
            study.take_on(proposals[candidate] if is_over else proposals.name(candidate), n_splits, may_skip=is_over)

        study.on_trial_ended = lambda number, score: proposals.end(number - first, score)
        self._wrapper.before_fold = name

    def is_over(self) -> bool:
        """Whether the study begins no more trials."""
        return self._session is not None and self._session.study.is_over()

    def end_search(self) -> None:
        """From here on the best candidate is refitted."""
        if self._session is not None:
            self._session.study.show(SearchEnded())
            self._stack.enter_context(reporting(self._session.refit_reporter))

    def conclude(self) -> Any:
        """Keep what the search has found."""
        assert self._session is not None
        search, session = self._search, self._session
        if hasattr(search, "best_index_") and session.study.ranking.metric is not None:
            session.study.decide(int(search.best_index_), search.best_params_, self._best_value())
        return session.conclude(
            StudyOutcome(
                params=getattr(search, "best_params_", {}),
                table=pd.DataFrame(search.cv_results_),
                estimator=getattr(search, "best_estimator_", None),
            )
        )

    def _best_value(self) -> float:
        assert self._session is not None
        return float(self._search.cv_results_[self._session.study.ranking.metric][self._search.best_index_])

    def _plan(self, n_first: int) -> StudyPlan:
        return StudyPlan(
            strategy=type(self._search).__name__,
            estimator=self._search.estimator,
            space=describe_space(self._search),
            settings=describe_settings(self._search),
            metric=f"mean_test_{self._search.refit}" if isinstance(self._search.refit, str) else None,
            n_trials=planned_trials(self._search, n_first),
            verbose=int(self._search.verbose),
            parts=self._parts(),
        )

    def _parts(self) -> dict[str, Any]:
        search = self._search
        return {
            "the estimator, or the code of its model": search.estimator,
            "the data": self._data,
            "the scoring": search.scoring,
            "the settings of the fit": [
                self._fit_params,
                search.error_score,
                search.return_train_score,
                self.tracking.nan_loss,
            ],
        }


def study_is_over() -> bool:
    """Whether the study of the fit in progress, if there is one, begins no more trials."""
    fit = _current.get()
    return fit is not None and fit.is_over()


def tracking_of(value: Any) -> Tracking:
    """Return the `Tracking` that a `tracking` argument other than False stands for."""
    if value is None or value is True:
        return Tracking()
    if isinstance(value, Tracking):
        return value
    raise InvalidArgumentError(
        f"tracking is a Tracking(...), None for its defaults, or False to track nothing; got {value!r}."
    )


def _tags(more_results: Mapping[str, Any] | None, n_candidates: int) -> list[dict[str, str]]:
    more = more_results or {}
    return [
        {f"mlflow_hpo.{name}": str(values[index]) for name, values in more.items()} for index in range(n_candidates)
    ]
