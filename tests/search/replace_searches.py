"""A pytest plugin that puts our searches in scikit-learn's place, before any test module of its own is imported.

`sklearn.model_selection.tests.test_search` takes the classes from `sklearn.model_selection` as it is imported, and its
parametrisation holds on to them. Trials' models are not kept here: other tests show that, and it takes its time.
"""

from __future__ import annotations

from typing import Any

import sklearn.model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import mlflow_hpo
from mlflow_hpo.search import _tracked

REPLACED = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")

for _name in REPLACED:
    setattr(sklearn.model_selection, _name, getattr(mlflow_hpo, _name))

_tracking_of = _tracked.tracking_of


def _without_models(value: Any) -> mlflow_hpo.Tracking:
    return mlflow_hpo.Tracking(log_models="none") if value is None else _tracking_of(value)


_tracked.tracking_of = _without_models
