"""Searches in a real kernel: the example, and models that are defined in cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLE = Path(__file__).parents[1] / "examples" / "notebook" / "digits.ipynb"

DEFINED_IN_A_CELL = """
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from mlflow_hpo import GridSearchCV, Tracking

class Halved(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        return super().fit(half(X), y)

    def predict(self, X):
        return super().predict(half(X))

def half(X):
    return X / 2
"""
SEARCH = """
search = GridSearchCV(Halved(max_iter=2000), {"C": [0.1, 1.0]}, cv=2, n_jobs=2, tracking=Tracking(log_models="none"%s))
search.fit(*load_iris(return_X_y=True)).best_score_
"""


class Kernel(NotebookClient):
    """Counts how often outputs are renewed in their place."""

    n_renewed = 0

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        self.n_renewed += msg["msg_type"] == "update_display_data"
        return super().process_message(msg, cell, cell_index)


def execute(notebook: Any, folder: Path) -> tuple[list[list[Any]], int]:
    """Run a notebook; return the outputs of its cells of code, and how often one of them was renewed."""
    kernel = Kernel(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    kernel.execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"], kernel.n_renewed


@pytest.fixture
def folder(store, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    return tmp_path


@pytest.mark.slow
def test_the_example(folder):
    notebook = nbformat.read(EXAMPLE, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    outputs, n_renewed = execute(notebook, folder)
    ((shown,), (study,)) = outputs[2], outputs[3]
    assert n_renewed >= 3
    assert "6 trials in 0:" in shown.data["text/html"]
    assert re.search(r'href="http://127.0.0.1:5000/#/experiments/\w+/runs/\w+"', study.data["text/html"])
    assert study.data["text/html"].count("<tr>") == 7


def test_models_that_are_defined_in_cells_travel_to_workers(folder):
    searches = [SEARCH % "", SEARCH % ', isolation="process"']
    cells = [nbformat.v4.new_code_cell(source) for source in (DEFINED_IN_A_CELL, *searches)]
    outputs, _ = execute(nbformat.v4.new_notebook(cells=cells), folder)
    shown = [output for cell in outputs for output in cell if output.output_type == "display_data"]
    results = [output for cell in outputs for output in cell if output.output_type == "execute_result"]
    assert ["2 trials in 0:" in output.data["text/plain"] for output in shown] == [True, True]
    assert results[0].data["text/plain"] == results[1].data["text/plain"]
    assert "0.9" in results[0].data["text/plain"]
