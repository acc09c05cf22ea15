"""A real MLflow server, a study in it, and chromium to look at them; made once for all tests here.

Each test leaves a screenshot in `.ci/artifacts/browser`. Without chromium the tests are skipped, unless
`MLFLOW_HPO_BROWSER=required`, as in CI.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from browser_studies import N_TRIALS, Stepwise, search_digits
from mlflow import MlflowClient
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from process_state import forget
from serving import MLflowServer

from mlflow_hpo.tracking.links import view_path

SCREENSHOTS = Path(__file__).parents[2] / ".ci" / "artifacts" / "browser"
_PATIENCE_MS = 30_000
# The assistant of MLflow's UI opens by itself, and takes a third of the page.
_NO_ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""


@dataclass(frozen=True)
class UI:
    """A server, and the run of a study that has ended there."""

    address: str
    experiment_id: str
    run_id: str

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.address)

    def run(self, run_id: str, tab: str = "") -> str:
        return f"{self.address}/#/experiments/{self.experiment_id}/runs/{run_id}{tab}"

    def trials(self, run_id: str, *, charts: bool = False) -> str:
        return f"{self.address}/{view_path(self.experiment_id, run_id, charts=charts)}"


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory, fresh_database: Path) -> Iterator[UI]:
    folder = tmp_path_factory.mktemp("ui")
    shutil.copy(fresh_database, folder / "served.db")
    with pytest.MonkeyPatch.context() as patch, MLflowServer(folder) as server:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        patch.setenv("MLFLOW_HPO_SPOOL", str(folder / "spool"))
        patch.setenv("MLFLOW_HPO_REPORT", "true")
        mlflow.set_tracking_uri(server.uri)
        experiment_id = mlflow.set_experiment("digits").experiment_id
        search = search_digits(Stepwise, N_TRIALS, study="digits", register_as="digits")
        yield UI(server.uri, experiment_id, search.study_.run_id)
        forget()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing = "no chromium is installed here (Debian: apt-get install chromium)"
        pytest.fail(missing) if os.environ.get("MLFLOW_HPO_BROWSER") == "required" else pytest.skip(missing)
    with sync_playwright() as playwright:
        # Its sandbox does not work for root.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    context.add_init_script(_NO_ASSISTANT)
    context.set_default_timeout(_PATIENCE_MS)
    expect.set_options(timeout=_PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = context.new_page()
    yield page
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
