"""A hundred kills, of everything there is. Not part of the suite: `pytest -n 0 -s tests/study/soak_kills.py`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from chaos import Server, plain_output, run_with_kills, runs_left
from mlflow import MlflowClient

from mlflow_hpo.tracking.spool import waiting_spools


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(10))
def test_ten_kills_of_ten_seeds(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    began = time.monotonic()
    with Server(tmp_path) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "chaos")
        monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
        client = MlflowClient(server.uri)
        client.create_experiment("chaos")
        output, killed = run_with_kills(tmp_path, 10, seed, server)
        assert output.strip() == plain_output()
        runs_left(client, "chaos")
        assert len(client.search_model_versions("name = 'chaos'")) == 1
    assert not waiting_spools()
    print(f"\nseed {seed}: {dict(killed)} in {time.monotonic() - began:.0f} s")  # noqa: T201
