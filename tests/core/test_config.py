"""`Tracking` refuses what it cannot honour, and travels with the search."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.errors import HPOError


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"log_models": "best_folds"},
            r"one of best_fold, all_folds, none; got 'best_folds'\. Did you mean 'best_fold'",
        ),
        ({"keep_best": 0}, "whole number of at least 1; got 0"),
        ({"keep_best": True}, "whole number of at least 1; got True"),
        ({"study": " "}, r"Tracking\(study=...\) is None or a non-empty name"),
        ({"alias": None}, r"Tracking\(alias=...\) is a non-empty name"),
        ({"isolation": "proces"}, r"is None or 'process'; got 'proces'\. Did you mean 'process'\?"),
        ({"isolation": True}, r"is None or 'process'; got True\."),
        ({"isolation": "process", "trial_seconds": 0}, "number of seconds above 0; got 0"),
        ({"isolation": "process", "trial_seconds": float("nan")}, "number of seconds above 0; got nan"),
        ({"isolation": "process", "trial_seconds": "60"}, "number of seconds above 0; got '60'"),
        ({"max_seconds": 0}, "number of seconds above 0; got 0"),
        ({"max_seconds": "60"}, "number of seconds above 0; got '60'"),
        ({"patience": 0}, r"Tracking\(patience=...\) is None or a whole number of at least 1; got 0"),
        ({"warm_start_from": ""}, r"Tracking\(warm_start_from=...\) is None or a non-empty name; got ''"),
        ({"backend": "desk"}, r"one of threading, loky, dask; got 'desk'\. Did you mean 'dask'\?"),
        ({"backend": "threading", "isolation": "process"}, "needs processes, and backend='threading' has none"),
        ({"backend": "loky", "n_threads": 1}, "n_threads=...\\) is not for joblib's own workers"),
        ({"n_threads": 0}, r"Tracking\(n_threads=...\) is None or a whole number of at least 1; got 0"),
        ({"backend": "dask", "scheduler": 8786}, r"an address such as 'tcp://10\.0\.0\.1:8786'; got 8786"),
        ({"scheduler": "tcp://10.0.0.1:8786"}, "needs backend='dask'"),
        ({"trial_seconds": 60}, r"Tracking\(trial_seconds=...\) needs isolation='process'"),
    ],
)
def test_wrong_values_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        Tracking(**option)
    assert isinstance(error.value, HPOError)


def test_it_travels_with_the_search() -> None:
    tracking = Tracking(study="trees", keep_best=3, tags={"team": "garden"})
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, tracking=tracking)
    assert clone(search).tracking == tracking
    assert pickle.loads(pickle.dumps(search)).get_params()["tracking"] == tracking
    assert "study='trees'" in repr(search)
