"""Scores of a trial are those that scikit-learn computes, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo.study.scores import fold_metrics, score_names, trial_metrics

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=7)


def results(scores: list[float]) -> list[dict[str, object]]:
    return [
        {"test_scores": {"a": score, "b": -score}, "fit_error": None, "fit_time": 0.5, "score_time": 0.25}
        for score in scores
    ]


@given(SCORES)
def test_mean_and_spread_are_scikit_learns(scores: list[float]) -> None:
    search = GridSearchCV(DecisionTreeClassifier(), {})
    expected = search._format_results([{}], len(scores), results(scores))
    ours = trial_metrics(results(scores))
    assert ours.keys() == {name for name in expected if name.startswith(("mean_", "std_"))}
    for name, value in ours.items():
        assert value == expected[name][0]


def test_a_single_score_has_scikit_learns_name() -> None:
    result = {"test_scores": 0.5, "train_scores": 1.0, "fit_time": 0.0, "score_time": 0.0}
    assert fold_metrics(2, result) == {"split2_test_score": 0.5, "split2_train_score": 1.0}
    assert score_names([result]) == ["score"]


def test_a_bare_error_score_stands_for_all_names() -> None:
    failed = {"test_scores": np.nan, "fit_error": "Traceback", "fit_time": 0.0, "score_time": 0.0}
    metrics = trial_metrics([failed, *results([1.0])])
    assert np.isnan(metrics["mean_test_a"])
    assert np.isnan(metrics["mean_test_b"])
    assert score_names([failed, *results([1.0])]) == ["a", "b"]


@pytest.mark.parametrize("count", [1, 3])
def test_times_are_averaged_too(count: int) -> None:
    assert trial_metrics(results([1.0] * count))["mean_fit_time"] == 0.5
