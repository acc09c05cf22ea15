"""What there was before a study is not looked at by the garbage collector while it runs."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from mlflow_hpo import GridSearchCV
from mlflow_hpo.study.garbage import old_objects_left_alone


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_was_there_before_is_collected_afterwards_and_what_is_new_at_once() -> None:
    old = Cycle()
    old_gone = weakref.ref(old)
    with old_objects_left_alone():
        del old
        new = Cycle()
        new_gone = weakref.ref(new)
        del new
        gc.collect()
        assert new_gone() is None
        assert old_gone() is not None
    gc.collect()
    assert old_gone() is None


def test_it_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), old_objects_left_alone():
        raise ZeroDivisionError
    assert gc.get_freeze_count() == 0


def test_what_the_user_has_frozen_stays_frozen() -> None:
    frozen = Cycle()
    frozen_gone = weakref.ref(frozen)
    gc.freeze()
    try:
        del frozen
        with old_objects_left_alone(), old_objects_left_alone():
            pass
        gc.collect()
        assert frozen_gone() is not None
    finally:
        gc.unfreeze()
    gc.collect()
    assert frozen_gone() is None


class Noticing(LogisticRegression):
    frozen: list[int] = []  # noqa: RUF012  # scikit-learn clones estimators

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.frozen.append(gc.get_freeze_count())
        return super().fit(X, y, sample_weight)


def test_a_search_does_so(store: MlflowClient) -> None:
    GridSearchCV(Noticing(max_iter=500), {"C": [0.1, 1.0]}, cv=2).fit(*load_iris(return_X_y=True))
    assert len(Noticing.frozen) == 5
    assert all(Noticing.frozen)
    assert gc.get_freeze_count() == 0
