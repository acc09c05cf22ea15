"""A loss that is NaN ends its fold at that epoch, and its trial as FAILED; a setting trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.core.errors import InvalidArgumentError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype("float32")
y = X.sum(axis=1)


def create_model(learning_rate: float = 0.01) -> Any:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate), loss="mse")
    return model


def search(reuse: bool = True, **tracking: Any) -> Any:
    from mlflow_hpo import KerasRegressor

    estimator = KerasRegressor(create_model, epochs=4, verbose=0, random_state=0, reuse=reuse)
    grid = {"learning_rate": [1e30, 0.01]}
    return GridSearchCV(estimator, grid, cv=2, refit=False, tracking=Tracking(log_models="none", **tracking)).fit(X, y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
@pytest.mark.parametrize("reuse", [True, False])
def test_the_trial_fails_at_the_epoch_and_the_others_go_on(store: MlflowClient, reuse: bool) -> None:
    result = search(reuse)
    assert np.isnan(result.cv_results_["mean_test_score"]).tolist() == [True, False]
    trials = result.study_.trials
    assert list(trials["status"]) == ["FAILED", "FINISHED"]
    run = store.get_run(trials["run_id"][0])
    assert "NonFiniteLossError" in run.data.tags["mlflow_hpo.error"]
    assert len(store.get_metric_history(run.info.run_id, "split0/loss")) < 4
    assert len(store.get_metric_history(trials["run_id"][1], "split0/loss")) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the test scores")
def test_a_setting_trains_on(store: MlflowClient) -> None:
    trials = search(nan_loss="ignore").study_.trials
    assert len(store.get_metric_history(trials["run_id"][0], "split0/loss")) == 4


def test_other_values_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"nan_loss=\.\.\.\) is one of fail, ignore; got 'stop'"):
        Tracking(nan_loss="stop")  # type: ignore[arg-type]
