"""`python -m benchmarks.cluster`: run a study on a simulated cluster, watch it from outside, write what was seen."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil


@dataclass(frozen=True)
class Sample:
    """What can be seen of a study at one moment: trials that have ended in the store, CPU seconds, memory, load."""

    time: float
    n_stored: int
    study_cpu: float
    delivery_cpu: float
    study_mb: float
    load: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1.0, help="How long a fold sleeps.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = _measured(arguments.trials, arguments.workers, arguments.seconds, Path(folder))
    for name, value in figures.items():
        print(f"{name:36s} {value}")


def _measured(n_trials: int, n_workers: int, seconds: float, folder: Path) -> dict[str, Any]:
    results = folder / "results.json"
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "MLFLOW_HPO_SPOOL": str(folder / "spool")}
    simulated = [sys.executable, "-m", "benchmarks.cluster.simulated", str(n_workers)]
    with subprocess.Popen(simulated, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        scheduler = cluster.stdout.readline().strip()
        command = [sys.executable, "-m", "benchmarks.cluster.study", scheduler, str(n_trials), str(seconds)]
        with subprocess.Popen([*command, str(results)], env=environment) as study:
            samples = _watched(study, folder / "mlflow.db")
        cluster.stdin.close()
    return _figures(json.loads(results.read_text()), samples, n_workers, seconds)


def _watched(study: Any, database: Path) -> list[Sample]:
    process, delivery, samples = psutil.Process(study.pid), 0.0, []
    while study.poll() is None:
        time.sleep(1.0)
        try:
            cpu, memory = process.cpu_times(), process.memory_info().rss / 2**20
            for child in process.children():
                times = child.cpu_times()
                delivery = max(delivery, times.user + times.system)
        except psutil.Error:
            break
        samples.append(
            Sample(time.time(), _stored(database), cpu.user + cpu.system, delivery, memory, os.getloadavg()[0])
        )
    return samples


def _stored(database: Path) -> int:
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5) as connection:
            return connection.execute("select count(*) from runs where status = 'FINISHED'").fetchone()[0]
    except sqlite3.Error:  # not there yet, or being written
        return -1


def _figures(results: dict[str, Any], samples: list[Sample], n_workers: int, seconds: float) -> dict[str, Any]:
    folds = np.sort(np.concatenate(results["ends"]))
    trials = np.sort(np.max(results["ends"], axis=0))
    first, last = folds[0] - seconds, folds[-1]
    steady = folds[(folds > first + 2 * seconds) & (folds < last - 2 * seconds)]
    seen = [sample for sample in samples if sample.n_stored >= 0]
    lags = [
        (sample.time - trials[sample.n_stored], np.searchsorted(trials, sample.time) - sample.n_stored)
        for sample in seen
        if sample.n_stored < len(trials) and trials[sample.n_stored] < sample.time
    ]
    window = len(trials) // 10
    return {
        "trials, folds": f"{len(trials)}, {len(folds)}",
        "seconds, from first fold to last": round(last - first, 1),
        "at best": round(len(folds) * seconds / n_workers, 1),
        "workers busy, from first to last": f"{len(folds) * seconds / n_workers / (last - first):.1%}",
        "workers busy, without ends": f"{len(steady) * seconds / n_workers / (steady[-1] - steady[0]):.1%}",
        "busy in each tenth": [f"{_busy(folds, part, seconds, n_workers):.0%}" for part in range(10)],
        "lag of tracking, seconds (median, max)": _median_and_max([lag for lag, _ in lags]),
        "lag of tracking, trials (median, max)": _median_and_max([lag for _, lag in lags]),
        "all in the store, seconds after last": round(results["end"] - last, 1),
        "before the first fold, seconds": round(first - results["begin"], 1),
        "study's CPU ms a trial, each tenth": _costs(seen, trials, window, "study_cpu"),
        "delivery's CPU ms a trial, each tenth": _costs(seen, trials, window, "delivery_cpu"),
        "study's memory, MB, each tenth": [round(_at(seen, end, "study_mb")) for end in trials[window - 1 :: window]],
        "load average (median)": float(np.median([sample.load for sample in samples])),
    }


def _busy(folds: Any, part: int, seconds: float, n_workers: int) -> float:
    size = len(folds) // 10
    # The first folds end together: their tenth begins as they do.
    begin = folds[part * size - 1] if part else folds[0] - seconds
    return size * seconds / n_workers / (folds[(part + 1) * size - 1] - begin)


def _median_and_max(values: list[float]) -> tuple[float, float]:
    return (round(float(np.median(values)), 1), round(float(np.max(values)), 1)) if values else (0.0, 0.0)


def _costs(samples: list[Sample], trials: Any, window: int, name: str) -> list[float]:
    marks = [_at(samples, end, name) for end in [trials[0], *trials[window - 1 :: window]]]
    return np.round(1000 * np.diff(marks) / window, 1).tolist()


def _at(samples: list[Sample], moment: float, name: str) -> float:
    return float(np.interp(moment, [sample.time for sample in samples], [getattr(sample, name) for sample in samples]))


if __name__ == "__main__":
    main()
