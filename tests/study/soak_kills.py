"""Hundreds of kills, of everything there is. Not part of the suite: `pytest -n 0 -s tests/study/soak_kills.py`."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from chaos import chaos_in, check_what_is_left, rounds
from mlflow import MlflowClient


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("place", ["here", "processes", "dask"])
def test_ten_kills_of_ten_seeds(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, seed: int
) -> None:
    began = time.monotonic()
    monkeypatch.setenv("MLFLOW_HPO_PATIENCE", "120")
    chance = random.Random(seed)
    with chaos_in(place, tmp_path, seed, chance.choice([0.1, 0.3, 0.6])) as chaos:
        chaos.run(rounds(place, 10, chance))
        check_what_is_left(chaos)
    print(f"\n{place}, seed {seed}: {dict(chaos.killed)} in {time.monotonic() - began:.0f} s")  # noqa: T201
