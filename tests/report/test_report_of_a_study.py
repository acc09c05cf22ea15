"""The report that a study writes by itself: while it runs, at its end, and whatever ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import load_text
from sklearn.tree import DecisionTreeClassifier

from mlflow_hpo import Tracking
from mlflow_hpo.core.events import RunStatus, TrialEnded, TrialStarted
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.delivery import _page
from mlflow_hpo.tracking.packing import template_of
from mlflow_hpo.tracking.runs import leave_study_run, open_study_run
from mlflow_hpo.tracking.spool import Address
from mlflow_hpo.tracking.writer import Writer

SCRIPT = """
import sys
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from mlflow_hpo import GridSearchCV, Tracking

class Interrupted(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        if self.C == 10.0 and sys.argv[1] == "interrupted":
            raise KeyboardInterrupt
        return super().fit(X, y, sample_weight)

tracking = Tracking(study="reported", report=sys.argv[1] != "without")
GridSearchCV(Interrupted(max_iter=2000), {"C": [0.1, 1.0, 10.0]}, cv=3, tracking=tracking).fit(
    *load_iris(return_X_y=True)
)
"""


def artifacts(store: MlflowClient, run_id: str) -> set[str]:
    found = store.list_artifacts(run_id)
    return {item.path for top in found for item in (store.list_artifacts(run_id, top.path) if top.is_dir else [top])}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("whole", 0), ("interrupted", -2), ("without", 0)])
def test_a_study_has_its_report_when_its_process_has_ended(
    store: MlflowClient, tmp_path: Path, how: str, code: int
) -> None:
    (tmp_path / "study.py").write_text(SCRIPT)
    environment = {**os.environ, "MLFLOW_EXPERIMENT_NAME": "tests", "MLFLOW_HPO_REPORT": "true"}
    done = subprocess.run([sys.executable, "study.py", how], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == code
    experiment = store.get_experiment_by_name("tests").experiment_id
    [study] = store.search_runs([experiment], f"tags.`{names.KIND}` = 'study'")
    found = artifacts(store, study.info.run_id)
    assert ("report.html" in found) is (how != "without")
    assert ("plots/convergence_by_trial.png" in found) is (how != "without")
    if how == "interrupted":
        page = load_text(f"runs:/{study.info.run_id}/report.html")
        assert "KILLED" in page or "killed" in page


def test_a_report_is_renewed_while_the_study_runs(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_page, "_RENEW_SECONDS", 0.0)
    run = open_study_run("running", {names.KIND: "study", names.METRIC: "mean_test_score"})
    writer = Writer(run, template_of(DecisionTreeClassifier(), [[0.0], [1.0]], [0, 1]))
    try:
        writer.put(TrialStarted(0, "trial 0", {"depth": 1}))
        writer.put(TrialEnded(0, RunStatus.FINISHED, {"mean_test_score": 0.125}, 0.125))
        writer.trial_run_id(0)
        page = _page.PageMaker(Address(run.run_id, run.experiment_id, run.tracking_uri, run.tracking_uri, report=True))
        page.renew()
        assert page.is_busy
        page.wait(60)
        assert "0.125" in load_text(f"runs:/{run.run_id}/report.html")
        assert store.get_run(run.run_id).info.status == "RUNNING"
    finally:
        writer.close(RunStatus.FINISHED)
        leave_study_run(run)


def test_reports_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, is_wanted in [("false", False), ("0", False), ("true", True)]:
        monkeypatch.setenv("MLFLOW_HPO_REPORT", value)
        assert _page.reports_are_on() is is_wanted
    assert Tracking().report
