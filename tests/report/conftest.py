"""A study of any trials, in a store of the test's own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from mlflow import MlflowClient
from mlflow.entities import Param
from report_studies import BEGIN, SECOND, WriteStudy, Written, write_trial

from mlflow_hpo.tracking import names


@pytest.fixture
def write_study(store: MlflowClient) -> WriteStudy:
    """Write a study and its trials; return the id of its run."""
    experiment = store.get_experiment_by_name("tests").experiment_id

    def write(
        trials: list[Written],
        *,
        name: str = "a study",
        status: str = "FINISHED",
        metric: str | None = "mean_test_score",
        greater_is_better: bool = True,
        best: int | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        marks = {names.KIND: "study", names.STRATEGY: "GridSearchCV", names.DIRECTION: str(greater_is_better)}
        marks |= {names.METRIC: metric} if metric else {}
        study = store.create_run(experiment, start_time=BEGIN, run_name=name, tags=marks | dict(tags or {}))
        run_id = study.info.run_id
        store.log_batch(run_id, params=[Param(key, value) for key, value in (params or {}).items()])
        for number, trial in enumerate(trials):
            trial_id = write_trial(store, experiment, run_id, number, trial)
            if number == best:
                store.set_tag(run_id, names.BEST_TRIAL, trial_id)
        if status != "RUNNING":
            store.set_terminated(run_id, status, BEGIN + (len(trials) + 1) * SECOND)
        return run_id

    return write
