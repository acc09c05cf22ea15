"""What importing the package costs, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mlflow_hpo


def test_import_loads_no_heavy_package() -> None:
    heavy = "{'tensorflow', 'keras', 'mlflow', 'sklearn', 'skopt', 'pandas', 'dask', 'distributed'}"
    code = f"import sys, mlflow_hpo; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there() -> None:
    for name in mlflow_hpo.__all__:
        assert getattr(mlflow_hpo, name).__name__ == name
        assert name in dir(mlflow_hpo)
    with pytest.raises(AttributeError, match="GridSearch"):
        mlflow_hpo.GridSearch  # noqa: B018
