"""The prepared view of a study's trials, as a tag of the experiment, and the addresses that lead to it."""

from __future__ import annotations

import base64
import json
import random
import string
import zlib

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_hpo.tracking import names, view
from mlflow_hpo.tracking.links import run_path, ui_address, view_path
from mlflow_hpo.tracking.view import delete_view, drop_old_views, write_view


@pytest.fixture
def experiment(store: MlflowClient) -> str:
    return store.get_experiment_by_name("tests").experiment_id


def make_study(store: MlflowClient, experiment: str, space: list[str], **tags: str) -> Run:
    run = store.create_run(experiment, run_name="digits", tags={names.KIND: "study", **tags})
    for name in space:
        store.log_param(run.info.run_id, f"space.{name}", "[1, 2]")
    return store.get_run(run.info.run_id)


def views(store: MlflowClient, experiment: str) -> dict[str, str]:
    tags = store.get_experiment(experiment).tags
    return {name.removeprefix(names.VIEW): value for name, value in tags.items() if name.startswith(names.VIEW)}


def state_of(value: str) -> dict:
    packed = json.loads(value)["state"].removeprefix("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_a_view_before_the_first_score(store, experiment):
    study = make_study(store, experiment, ["units", "rate"], **{names.DIRECTION: "True"})
    write_view(store, study, ["units", "rate"])
    ((key, value),) = views(store, experiment).items()
    assert key == f"mlflow_hpo.{study.info.run_id}"
    assert json.loads(value)["name"] == "digits"
    state = state_of(value)
    assert study.info.run_id in state["searchFilter"]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`mean_test_score`", False)
    assert state["compareRunCharts"][0]["selectedParams"] == ["units", "rate"]


def test_a_view_of_several_scores_shows_all_and_sorts_by_the_deciding_one(store, experiment):
    study = make_study(store, experiment, ["rate", "units"], **{names.METRIC: "mean_test_r2", names.DIRECTION: "True"})
    metrics = ["split0_test_r2", "mean_test_mae", "std_test_mae", "mean_test_r2", "split0/loss"]
    write_view(store, study, ["rate"], metrics)
    (value,) = views(store, experiment).values()
    state = state_of(value)
    shown = ["mean_test_r2", "std_test_r2", "mean_test_mae", "mean_fit_time"]
    assert state["selectedColumns"] == [f"metrics.`{name}`" for name in shown] + ["params.`rate`", "params.`units`"]
    # A trial without one of the axes would not be drawn: only those that trials have are taken.
    assert state["compareRunCharts"][0]["selectedParams"] == ["rate"]


def test_an_objective_that_is_minimised_is_sorted_upwards(store, experiment):
    study = make_study(store, experiment, ["x"], **{names.METRIC: "objective", names.DIRECTION: "False"})
    write_view(store, study, ["x"], ["objective"])
    state = state_of(*views(store, experiment).values())
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`objective`", True)


def test_a_study_of_very_many_parameters_keeps_to_the_length_that_stores_take(store, experiment):
    letters = random.Random(0)
    space = ["".join(letters.choices(string.ascii_letters, k=60)) for _ in range(150)]
    study = make_study(store, experiment, space)
    write_view(store, study, space)
    (value,) = views(store, experiment).values()
    assert len(value) <= 5000
    assert len(state_of(value)["compareRunCharts"][0]["selectedParams"]) > 10


def test_views_of_the_oldest_studies_go_and_other_views_stay(store, experiment, monkeypatch):
    monkeypatch.setattr(view, "_KEPT", 2)
    clock = iter(range(1, 100))
    monkeypatch.setattr(view, "now_ms", lambda: next(clock))
    store.set_experiment_tag(experiment, f"{names.VIEW}somebodys", "{}")
    studies = [make_study(store, experiment, ["x"]) for _ in range(3)]
    for study in studies:
        write_view(store, study, ["x"])
        write_view(store, study, ["x"])  # in the place of its last one
        drop_old_views(store, experiment)
    kept = {f"mlflow_hpo.{study.info.run_id}" for study in studies[1:]}
    assert views(store, experiment).keys() == kept | {"somebodys"}


def test_a_view_that_is_gone_can_be_deleted(store, experiment):
    study = make_study(store, experiment, ["x"])
    write_view(store, study, ["x"])
    delete_view(store, experiment, study.info.run_id)
    delete_view(store, experiment, study.info.run_id)
    assert views(store, experiment) == {}


def test_addresses_keep_the_path_of_a_server_and_none_of_its_credentials():
    assert ui_address("http://u:p@host:5000/", run_path("1", "r")) == "http://host:5000/#/experiments/1/runs/r"
    assert ui_address("https://host/mlflow", view_path("1", "r")).startswith(
        "https://host/mlflow/#/experiments/1/runs?"
    )
