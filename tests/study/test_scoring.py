"""Scoring that fails fails the trial; what the search returns is scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer
from study_helpers import comparable, data

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.study.scoring import noted
from mlflow_hpo.tracking import names

pytestmark = pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the test scores")


class OneTooMany(ClassifierMixin, BaseEstimator):
    """Predicts one row more than it is asked for."""

    def __init__(self, extra: int = 0) -> None:
        self.extra = extra

    def fit(self, X: Any, y: Any) -> OneTooMany:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X) + self.extra, dtype=int)


def no_number(y: Any, predicted: Any) -> str:
    return "high"


@pytest.mark.parametrize("scoring", [None, "accuracy", ["accuracy", "f1"]], ids=str)
@pytest.mark.parametrize("settings", [{}, {"n_jobs": 2}, {"tracking": {"isolation": "process"}}], ids=str)
def test_a_trial_whose_scoring_raises_has_failed(store: MlflowClient, settings: Any, scoring: Any) -> None:
    X, y = data()
    how = {"cv": 2, "scoring": scoring, "refit": False, "error_score": -1.0}
    plain = model_selection.GridSearchCV(OneTooMany(), {"extra": [0, 1]}, **how).fit(X, y)
    tracking = Tracking(study="scores", **settings.get("tracking", {}))
    for _ in range(2):  # the second one replays them
        ours = GridSearchCV(
            OneTooMany(), {"extra": [0, 1]}, **how, n_jobs=settings.get("n_jobs"), tracking=tracking
        ).fit(X, y)
        assert repr(comparable(ours.cv_results_)) == repr(comparable(plain.cv_results_))
        runs = [store.get_run(run) for run in ours.study_.trials["run_id"]]
        good, bad = sorted(runs, key=lambda run: run.data.params["extra"])
        assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
        assert "inconsistent numbers of samples" in bad.data.tags[names.ERROR]
        assert names.ERROR not in good.data.tags
        assert len(store.search_logged_models([ours.study_.experiment_id])) == 1


def test_where_all_scoring_fails_the_cause_is_told(store: MlflowClient, caplog: pytest.LogCaptureFixture) -> None:
    GridSearchCV(OneTooMany(extra=1), {"extra": [1, 2]}, cv=2, refit=False).fit(*data())
    assert "inconsistent numbers of samples" in caplog.text


def test_what_is_raised_is_what_scikit_learn_raises(store: MlflowClient) -> None:
    for scoring, error_score in ((make_scorer(no_number), 0.0), ("accuracy", "raise")):
        how = {"cv": 2, "scoring": scoring, "error_score": error_score}
        raised = []
        for search in (model_selection.GridSearchCV, GridSearchCV):
            with pytest.raises(ValueError) as error:  # noqa: PT011
                search(OneTooMany(), {"extra": [1]}, **how).fit(*data())
            raised.append(str(error.value))
        assert raised[0] == raised[1]


def test_a_scorer_looks_like_itself() -> None:
    scorer = make_scorer(no_number)
    assert repr(noted(scorer)) == repr(scorer)
