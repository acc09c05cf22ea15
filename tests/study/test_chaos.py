"""`kill -9` at ten random moments, of the study, of who delivers, of a worker, of the server: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import GRID, Server, plain_output, run_with_kills, runs_left
from mlflow import MlflowClient

from mlflow_hpo.tracking.spool import waiting_spools

N_KILLS = 10


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc")
def test_ten_kills(store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(tmp_path) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "chaos")
        monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
        client = MlflowClient(server.uri)
        client.create_experiment("chaos")
        output, killed = run_with_kills(tmp_path, N_KILLS, server=server)
        assert output.strip() == plain_output()
        assert set(killed) == {"study", "all", "others", "server"}
        runs = runs_left(client, "chaos")
        trials = {run.data.params["C"] for run in runs if "C" in run.data.params}
        assert trials == {str(c) for c in GRID["C"]}
        assert len(client.search_model_versions("name = 'chaos'")) == 1
    assert not waiting_spools()
