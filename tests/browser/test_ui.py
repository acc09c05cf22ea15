"""What people see of a study in MLflow's UI, in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from browser_studies import N_EPOCHS, N_TRIALS, PARAMS, Held, search_digits
from playwright.sync_api import Page, expect

from mlflow_hpo.tracking.read import children_of

pytestmark = pytest.mark.slow

ROWS = ".ag-center-cols-container .ag-row"
CARD = "experiment-view-compare-runs-card"


def cells(page: Page, column: str) -> list[str]:
    return page.locator(f"[role=gridcell][col-id='{column}']").all_inner_texts()


def points(page: Page, metric: str) -> int:
    """How many points the curves of a metric have, all together."""
    chart = page.get_by_test_id(CARD).filter(has_text=metric).locator(".js-plotly-plot").first
    return chart.locator(".scatterlayer .trace .points path").count()


def wait_until(page: Page, condition: Callable[[], Any]) -> Any:
    """What a condition returns once it is true."""
    for _ in range(300):
        if found := condition():
            return found
        page.wait_for_timeout(100)
    raise AssertionError("It has not come about in 30 seconds.")


def test_the_experiment_shows_a_study_that_unfolds(ui, page):
    page.goto(f"{ui.address}/#/experiments/{ui.experiment_id}/runs?workflowType=machine_learning")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.get_by_text("13 matching runs")).to_be_visible()
    page.locator(".ag-row").get_by_role("button").first.click()
    expect(page.locator(ROWS)).to_have_count(1 + N_TRIALS)


def test_the_prepared_view_is_a_sorted_table_of_the_trials(ui, page):
    page.goto(ui.trials(ui.run_id))
    expect(page.locator(ROWS)).to_have_count(N_TRIALS)
    scores = [float(text) for text in cells(page, "metrics.`mean_test_score`")]
    assert len(scores) == N_TRIALS
    assert scores == sorted(scores, reverse=True)
    assert all(cells(page, f"params.`{name}`") for name in PARAMS)
    assert all(cells(page, f"metrics.`{name}`") for name in ("std_test_score", "mean_fit_time"))
    expect(page.get_by_test_id("saved-views-trigger")).to_have_text("digits")


def test_its_charts_are_parallel_coordinates_and_a_section_of_curves_a_split(ui, page):
    page.goto(ui.trials(ui.run_id, charts=True))
    sections = page.get_by_test_id("experiment-view-compare-runs-section-header")
    expect(sections.first).to_contain_text("All trials")
    for split in range(3):
        expect(sections.nth(1 + split)).to_contain_text(f"split{split}")
    expect(page.get_by_test_id(CARD).first).to_contain_text("Parallel Coordinates")
    axes = page.get_by_test_id(CARD).first.locator("svg .dimension")
    expect(axes).to_have_count(len(PARAMS) + 1)
    wait_until(page, lambda: points(page, "split0/loss") == N_TRIALS * N_EPOCHS)


def test_the_note_tells_the_best_and_its_links_lead_there(ui, page, context):
    page.goto(ui.run(ui.run_id))
    expect(page.get_by_text("mean_test_score = ").first).to_be_visible()
    expect(page.get_by_role("link", name="digits", exact=False).first).to_be_visible()
    page.get_by_text("Show more").click()
    for text in ("Load the model", "models:/digits/1", "mlflow models serve", "Train the best trial again"):
        expect(page.get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("button", name="dataset").first).to_be_visible()
    with context.expect_page() as opened:
        page.get_by_role("link", name="All trials as a table").click()
    expect(opened.value.locator(ROWS)).to_have_count(N_TRIALS)


def test_the_report_and_the_plots_are_previewed(ui, page):
    wait_until(page, lambda: any(file.path == "report.html" for file in ui.client.list_artifacts(ui.run_id)))
    page.goto(ui.run(ui.run_id, "/artifacts/report.html"))
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", name="digits", exact=True)).to_be_visible()
    expect(report.locator("svg").first).to_be_visible()
    page.get_by_text("plots", exact=True).click()
    page.get_by_text("parameters.png", exact=True).click()
    expect(page.get_by_alt_text("plots/parameters.png")).to_be_visible()


def test_the_registry_shows_version_and_alias(ui, page):
    page.goto(f"{ui.address}/#/models/digits")
    expect(page.get_by_role("link", name="Version 1")).to_be_visible()
    expect(page.get_by_text("champion").first).to_be_visible()
    page.get_by_role("link", name="Version 1").click()
    expect(page.get_by_text("the best of study")).to_be_visible()


def test_comparing_all_trials_draws_parallel_coordinates(ui, page):
    trials = [run.info.run_id for run in children_of(ui.client, ui.experiment_id, ui.run_id)]
    page.goto(f"{ui.address}/#/compare-runs?runs={quote(json.dumps(trials))}&experiments={quote(json.dumps(['1']))}")
    expect(page.get_by_text(f"Comparing {N_TRIALS} Runs")).to_be_visible()
    page.wait_for_function("() => document.querySelector('.js-plotly-plot')?.data?.[0]?.type === 'parcoords'")
    axes = page.evaluate("document.querySelector('.js-plotly-plot').data[0].dimensions")
    assert [len(axis["values"]) for axis in axes] == [N_TRIALS] * (len(PARAMS) + 1)


def test_a_trial_that_runs_shows_its_curve(ui, page):
    def run_id_of(query: str) -> str:
        (run,) = wait_until(page, lambda: ui.client.search_runs([ui.experiment_id], query))
        return run.info.run_id

    study = threading.Thread(
        target=search_digits, args=(Held, 1), kwargs={"refit": False, "log_models": "none", "report": False}
    )
    study.start()
    try:
        assert Held.reached.wait(60)
        live = run_id_of("attributes.run_name = 'RandomizedSearchCV Held'")
        trial = run_id_of(f"tags.`mlflow.parentRunId` = '{live}'")
        page.goto(ui.trials(live, charts=True))
        expect(page.get_by_test_id(CARD).filter(has_text="split0/loss")).to_be_visible()
        wait_until(page, lambda: points(page, "split0/loss") == N_EPOCHS // 2)
        assert ui.client.get_run(trial).info.status == "RUNNING"
    finally:
        Held.release.set()
        study.join()
    assert ui.client.get_run(trial).info.status == "FINISHED"
    page.goto("about:blank")  # the UI applies a view when its link is opened, and not again on a reload
    page.goto(ui.trials(live, charts=True))
    expect(page.get_by_test_id("experiment-view-compare-runs-section-header").first).to_contain_text("All trials")
    wait_until(page, lambda: points(page, "split0/loss") == N_EPOCHS)


@pytest.mark.parametrize("width", [1400, 390], ids=["desktop", "phone"])
def test_the_report_fits_its_window(ui, page, tmp_path, width):
    from mlflow_hpo.report import report_html

    (tmp_path / "report.html").write_text(report_html(ui.run_id, ui.address))
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator("figure svg")
    assert figures.count() > 8
    assert all(figure.bounding_box()["width"] > 100 for figure in figures.all())
    assert said == []
