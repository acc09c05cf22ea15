"""Study files of a test's own, and an MLflow store that one test leaves as the next finds it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from process_state import INHERITED, forget

BASE = """\
estimator: model.py:make
data: {sklearn: iris}
task: classification
space:
  C: {real: [0.01, 100], prior: log, grid: [0.1, 1, 10]}
strategy: grid
"""

MODEL = """\
from sklearn.linear_model import LogisticRegression

def make():
    return LogisticRegression(max_iter=2000)
"""


class Folder:
    """A folder with a study in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("model.py", MODEL)

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def study(self, text: str = BASE, **replaced: str) -> Path:
        """Write study.yaml; a keyword replaces the line (and what is indented below it) of that key, or adds it."""
        kept, skipping = [], False
        for line in text.splitlines():
            if not line.startswith(" "):
                skipping = line.partition(":")[0] in replaced
            if not skipping:
                kept.append(line)
        added = [f"{key}: {value}" for key, value in replaced.items() if value]
        return self.write("study.yaml", "\n".join(kept + added) + "\n")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def _database(tmp_path_factory, fresh_database):
    """One database for all tests of this room."""
    return shutil.copy(fresh_database, tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(_database, monkeypatch, tmp_path):
    """Point MLflow at a store of the tests; artifacts go to the test's own folder."""
    import mlflow

    uri = f"sqlite:///{_database}"
    monkeypatch.chdir(tmp_path)
    for name in INHERITED:
        monkeypatch.delenv(name, raising=False)
    mlflow.set_tracking_uri(None)  # set in the process, it would win over the variable
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    yield uri
    forget()


@pytest.fixture(autouse=True)
def _imports_undone():
    """Forget the folders and modules that a study brought along."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "pytest-of-" in file:
            del sys.modules[name]
