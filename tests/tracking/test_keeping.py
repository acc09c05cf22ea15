"""Which models of which trials are kept, and what a store that refuses something costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo import GridSearchCV, Tracking
from mlflow_hpo.tracking import register_best


def search(depths: list[int], **options: Any) -> GridSearchCV:
    """Search over the depth of a tree: the deeper, the better."""
    refit = options.pop("refit", True)
    return GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": depths}, cv=3, refit=refit, tracking=Tracking(**options)
    ).fit(*load_iris(return_X_y=True))


def models_of(store: MlflowClient, run_id: str) -> list[Any]:
    outputs = store.get_run(run_id).outputs.model_outputs
    return [store.get_logged_model(output.model_id) for output in outputs if _exists(store, output.model_id)]


def _exists(store: MlflowClient, model_id: str) -> bool:
    try:
        store.get_logged_model(model_id)
    except mlflow.MlflowException:
        return False
    return True


def test_best_fold_keeps_the_model_of_the_best_scoring_fold(store: MlflowClient) -> None:
    result = search([2])
    X, y = load_iris(return_X_y=True)
    scores = [result.cv_results_[f"split{fold}_test_score"][0] for fold in range(3)]
    (model,) = models_of(store, result.study_.best_trial.run_id)
    best = int(np.argmax(scores))
    train, _ = list(result._checked_cv_orig.split(X, y))[best]
    expected = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X[train], y[train])
    loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    np.testing.assert_array_equal(loaded.predict(X), expected.predict(X))


def test_all_folds_keeps_one_a_fold(store: MlflowClient) -> None:
    result = search([2], log_models="all_folds")
    names = [model.name for model in models_of(store, result.study_.best_trial.run_id)]
    assert sorted(names) == ["model-split0", "model-split1", "model-split2"]


@pytest.mark.parametrize("log_models", ["best_fold", "all_folds"])
def test_models_tell_their_candidate_and_its_score(store: MlflowClient, log_models: Any) -> None:
    result = search([1, 2], log_models=log_models)
    for depth, trial in zip(("1", "2"), result.study_.trials.itertuples(), strict=True):
        models = models_of(store, trial.run_id)
        assert len(models) == (3 if log_models == "all_folds" else 1)
        for model in models:
            assert model.params == {"max_depth": depth}
            (metric,) = model.metrics
            assert (metric.key, metric.value, metric.run_id) == ("mean_test_score", trial.score, trial.run_id)
        assert [point.value for point in store.get_metric_history(trial.run_id, "mean_test_score")] == [trial.score]
    (refitted,) = models_of(store, result.study_.run_id)
    assert refitted.params == {"max_depth": "2"}


def test_none_keeps_the_refitted_one_only(store: MlflowClient) -> None:
    result = search([2], log_models="none")
    assert not models_of(store, result.study_.best_trial.run_id)
    assert len(models_of(store, result.study_.run_id)) == 1


def test_keep_best_deletes_records_and_files_of_the_others(store: MlflowClient, tmp_path: Path) -> None:
    result = search([1, 2, 3, 1, 4], keep_best=2, refit=False)
    ranked = result.study_.trials.sort_values(["score", "number"], ascending=[False, True], kind="stable")
    kept = {run_id for run_id in ranked["run_id"] if models_of(store, run_id)}
    assert kept == set(ranked["run_id"][:2])
    assert len(list(tmp_path.rglob("MLmodel"))) == 2


def test_without_refit_the_best_trials_model_is_registered(store: MlflowClient) -> None:
    result = search([1, 3], refit=False, register_as="tree")
    version = store.get_model_version_by_alias("tree", "champion")
    (model,) = models_of(store, result.study_.best_trial.run_id)
    assert model.model_id in version.tags.values()


def test_registering_again_makes_no_second_version(store: MlflowClient) -> None:
    result = search([1, 3], register_as="tree")
    again = register_best(result.study_.run_id, name="tree")
    assert (again.version, again.created) == ("1", False)


def test_nothing_to_register_is_said_not_raised(store: MlflowClient, caplog: pytest.LogCaptureFixture) -> None:
    result = search([1], refit=False, log_models="none", register_as="tree")
    assert result.study_.registered is None
    assert "kept no model" in caplog.text


def test_a_name_that_cannot_be_registered_is_refused_before_anything_trains(store: MlflowClient) -> None:
    with pytest.raises(ValueError, match="No model can be registered as"):
        search([1], register_as="a/b")
    assert not store.search_runs([store.get_experiment_by_name("tests").experiment_id])


def test_the_studys_run_tells_settings_space_data_and_best(store: MlflowClient) -> None:
    run = store.get_run(search([1, 3], study="trees", tags={"team": "garden"}).study_.run_id)
    assert run.info.run_name == "trees"
    assert run.data.tags["team"] == "garden"
    assert run.data.tags["version.scikit-learn"].startswith("1.")
    assert run.data.params["space.max_depth"] == "[1, 3]"
    assert run.data.params["search.cv"] == "3"
    assert run.data.params["best.max_depth"] == "3"
    assert run.data.tags["mlflow.note.content"].startswith("**mean_test_score = 0.9")
    assert run.inputs.dataset_inputs[0].dataset.digest
    best = [(metric.step, metric.value) for metric in store.get_metric_history(run.info.run_id, "best_mean_test_score")]
    assert [step for step, _ in best] == [0, 1]
    table = Path(store.download_artifacts(run.info.run_id, "cv_results.csv")).read_text()
    assert table.startswith("mean_fit_time,")


def test_autologging_rests_and_comes_back(store: MlflowClient) -> None:
    experiment = store.get_experiment_by_name("tests").experiment_id
    mlflow.sklearn.autolog(silent=True)
    try:
        result = search([1, 2], log_models="none")
        assert len(store.search_runs([experiment])) == 1 + len(result.study_.trials)
        LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))
        assert len(store.search_runs([experiment])) == 2 + len(result.study_.trials)
    finally:
        mlflow.sklearn.autolog(disable=True)


def test_a_store_that_goes_away_does_not_take_the_search_with_it(
    store: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Deletes(DecisionTreeClassifier):
        """Takes the store away while it is fitted."""

        def fit(self, X: Any, y: Any, **options: Any) -> Any:
            (tmp_path / "artifacts").rename(tmp_path / f"gone-{len(list(tmp_path.iterdir()))}") if (
                tmp_path / "artifacts"
            ).exists() else None
            (tmp_path / "artifacts").write_text("not a folder") if not (tmp_path / "artifacts").exists() else None
            return super().fit(X, y, **options)

    result = GridSearchCV(Deletes(random_state=0), {"max_depth": [1, 3]}, cv=2).fit(*load_iris(return_X_y=True))
    assert result.best_params_ == {"max_depth": 3}
    assert "MLflow does not take a model of trial 0" in caplog.text
    assert list(result.study_.trials["mean_test_score"]) == list(result.cv_results_["mean_test_score"])
