"""`gp_minimize` asks for the same points as scikit-optimize's, and every call is a run."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import skopt
from mlflow import MlflowClient
from skopt.callbacks import CheckpointSaver
from skopt.space import Categorical, Integer, Real

from mlflow_hpo import Tracking, gp_minimize

DIMENSIONS = [
    Real(1e-3, 1.0, "log-uniform", name="rate"),
    Integer(1, 500, name="depth"),
    Categorical(["a", "b"], name="kind"),
]
CALLS = {"n_calls": 6, "n_initial_points": 4, "random_state": 0}


def cost(point: list[Any]) -> float:
    rate, depth, kind = point
    return float((np.log10(rate) + 1) ** 2 + depth / 100 + (kind == "a"))


def test_signature_is_scikit_optimizes_and_tracking() -> None:
    assert list(inspect.signature(gp_minimize).parameters) == [
        *inspect.signature(skopt.gp_minimize).parameters,
        "tracking",
    ]


def test_same_points_and_values(store: MlflowClient) -> None:
    expected = skopt.gp_minimize(cost, DIMENSIONS, **CALLS)
    result = gp_minimize(cost, DIMENSIONS, **CALLS)
    assert result.x_iters == expected.x_iters
    assert list(result.func_vals) == list(expected.func_vals)
    assert (result.x, result.fun) == (expected.x, expected.fun)
    assert result.specs["args"]["func"] is cost
    trials = result.study.trials
    assert list(trials["objective"]) == list(result.func_vals)
    assert list(trials["depth"].astype(int)) == [point[1] for point in result.x_iters]
    assert set(trials["status"]) == {"FINISHED"}
    assert result.study.best_trial.score == result.fun
    study = store.get_run(result.study.run_id)
    assert study.data.params["best.kind"] == result.x[2]
    assert study.data.params["search.n_calls"] == "6"
    assert study.data.metrics["best_objective"] == result.fun


def test_the_trials_run_is_active_while_the_objective_runs(store: MlflowClient) -> None:
    def objective(point: list[Any]) -> float:
        mlflow.log_metric("seen", 7.0)
        with mlflow.start_run(nested=True, run_name="left open"):
            pass
        mlflow.start_run(nested=True, run_name="never closed")
        return cost(point)

    result = gp_minimize(objective, DIMENSIONS, n_calls=2, n_initial_points=2, random_state=0)
    assert mlflow.active_run() is None
    assert list(result.study.trials["seen"]) == [7.0, 7.0]
    runs = store.search_runs([result.study.experiment_id])
    assert not [run for run in runs if run.info.status == "RUNNING"]


def test_nests_under_the_active_run(store: MlflowClient) -> None:
    with mlflow.start_run() as outer:
        results = [gp_minimize(cost, DIMENSIONS, n_calls=1, n_initial_points=1) for _ in range(2)]
        assert mlflow.active_run().info.run_id == outer.info.run_id
    parents = {store.get_run(result.study.run_id).data.tags["mlflow.parentRunId"] for result in results}
    assert parents == {outer.info.run_id}
    assert results[0].study.run_id != results[1].study.run_id


def test_a_failing_objective_is_a_failed_trial_of_a_failed_study(store: MlflowClient) -> None:
    def objective(point: list[Any]) -> float:
        raise ZeroDivisionError("no such point")

    with pytest.raises(ZeroDivisionError):
        gp_minimize(objective, DIMENSIONS, n_calls=2, n_initial_points=2)
    runs = store.search_runs([store.get_experiment_by_name("tests").experiment_id])
    assert {run.info.status for run in runs} == {"FAILED"}
    assert len(runs) == 2
    assert all("no such point" in run.data.tags["mlflow_hpo.error"] for run in runs)


def test_an_interrupt_kills_trial_and_study(store: MlflowClient) -> None:
    def objective(point: list[Any]) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gp_minimize(objective, DIMENSIONS, n_calls=2, n_initial_points=2)
    runs = store.search_runs([store.get_experiment_by_name("tests").experiment_id])
    assert [run.info.status for run in runs] == ["KILLED", "KILLED"]


def test_checkpoints_hold_the_users_objective(store: MlflowClient, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pkl"
    result = gp_minimize(
        cost, DIMENSIONS, n_calls=2, n_initial_points=2, random_state=0, callback=CheckpointSaver(str(checkpoint))
    )
    assert skopt.load(checkpoint).specs["args"]["func"] is cost
    assert pickle.loads(pickle.dumps(result)).study == result.study


def test_unnamed_dimensions_are_numbered(store: MlflowClient) -> None:
    result = gp_minimize(lambda point: point[0], [(0.0, 1.0), (1, 5)], n_calls=1, n_initial_points=1)
    assert {"x0", "x1"} <= set(result.study.trials.columns)


def test_tracking_false_makes_no_run(store: MlflowClient) -> None:
    gp_minimize(cost, DIMENSIONS, n_calls=1, n_initial_points=1, tracking=False)
    assert not store.search_runs([store.get_experiment_by_name("tests").experiment_id])


@pytest.mark.slow
def test_keras_fits_are_followed_and_the_last_model_kept(store: MlflowClient) -> None:
    import keras

    X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    y = X.sum(axis=1)

    def objective(point: list[Any]) -> float:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(point[0]), "mse")
        history = model.fit(X, y, epochs=3, verbose=0, validation_split=0.2)
        return float(history.history["val_loss"][-1])

    result = gp_minimize(
        objective,
        [Real(1e-3, 1e-1, name="rate")],
        n_calls=2,
        n_initial_points=2,
        random_state=0,
        tracking=Tracking(register_as="line"),
    )
    best = result.study.best_trial
    curve = [(metric.step, metric.value) for metric in store.get_metric_history(best.run_id, "val_loss")]
    assert [step for step, _ in curve] == [0, 1, 2]
    assert curve[-1][1] == pytest.approx(result.fun, abs=0)
    assert result.study.registered == ("line", "1")
    model = mlflow.pyfunc.load_model("models:/line@champion")
    network = mlflow.keras.load_model("models:/line@champion")
    np.testing.assert_array_equal(model.predict(X), network.predict(X, verbose=0))
