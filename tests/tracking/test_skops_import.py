"""A process that only writes models imports skops without its list of estimators, and writes the same."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

from mlflow_hpo.tracking.models._safe import SafeForm, safe_form
from mlflow_hpo.tracking.models._travelling import loader
from mlflow_hpo.tracking.skops_import import known_estimators

_X = [[0.0], [1.0], [2.0], [3.0]]
_WRITE_ONLY = """
import pickle, sys
from mlflow_hpo.tracking.models._safe import safe_form
from mlflow_hpo.tracking.skops_import import write_only
import sklearn.utils
listing = sklearn.utils.all_estimators
write_only()
pickle.dump(safe_form(sys.stdin.buffer.read()), sys.stdout.buffer)
assert sklearn.utils.all_estimators is listing
assert "sklearn.semi_supervised" not in sys.modules
"""


def test_the_estimators_that_are_trusted_are_those_of_scikit_learn() -> None:
    listed = {f"{kind.__module__}.{kind.__name__}" for _, kind in all_estimators()}
    assert set(known_estimators()) == listed


def test_what_it_writes_is_read_with_the_list() -> None:
    estimator = make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=0))
    estimator.fit(_X, [0, 1, 0, 1])
    form = _form_alone(estimator)
    assert form.reason is None
    loaded = skops.io.loads(form.data, trusted=loader.TRUSTED)
    np.testing.assert_array_equal(loaded.predict_proba(_X), estimator.predict_proba(_X))


def test_it_refuses_what_a_process_with_the_list_refuses() -> None:
    form = _form_alone(Path)
    assert form == safe_form(pickle.dumps(Path))
    assert form.data is None


def _form_alone(estimator: Any) -> SafeForm:
    command = [sys.executable, "-c", _WRITE_ONLY]
    process = subprocess.run(command, input=pickle.dumps(estimator), stdout=subprocess.PIPE, check=True)
    form = pickle.loads(process.stdout)
    assert isinstance(form, SafeForm)
    return form
