"""`python -m benchmarks.gp`: measure what is missing in the records, and write `RESULTS.md`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

# Before NumPy is imported, here and in the workers.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from benchmarks.gp.contenders import CONTENDERS
from benchmarks.gp.functions import FUNCTIONS
from benchmarks.gp.measure import Task, measure
from benchmarks.gp.report import write_report


def main() -> None:
    """Run the benchmark; what the records hold already is not measured again."""
    arguments = _arguments()
    wanted = [*_costs(arguments), *_profiles(arguments), *_studies(arguments)]
    records = _read(arguments.records)
    done = {_task(record) for record in records}
    missing = [task for task in wanted if task not in done]
    # One process for each task: what one leaves in memory and caches is not the next one's.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context, max_tasks_per_child=1) as pool:
        for future in as_completed([pool.submit(measure, task) for task in missing]):
            records.append(future.result())
            with arguments.records.open("a") as file:
                file.write(json.dumps(records[-1]) + "\n")
            print(f"{len(records) - len(done)} of {len(missing)}:", _task(records[-1]), flush=True)
            # An interrupted run leaves the tables of all it has measured.
            write_report(_ordered(records, wanted), arguments.report)
    write_report(_ordered(records, wanted), arguments.report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gp", description=__doc__)
    parser.add_argument("--calls", type=int, default=60, help="length of the studies whose quality is measured")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--known", type=int, nargs="*", default=[20, 50, 100, 200], help="calls known for the cost")
    parser.add_argument("--workers", type=int, default=1, help="processes at work at a time")
    parser.add_argument("--records", type=Path, default=Path("gp-records.jsonl"), help="all that was measured")
    parser.add_argument("--report", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    return parser.parse_args()


def _costs(arguments: argparse.Namespace) -> Iterator[Task]:
    for seed in range(2):
        for n_known in arguments.known:
            for function in FUNCTIONS:
                for contender in CONTENDERS:
                    yield Task(contender, function, seed, n_known=n_known)


def _profiles(arguments: argparse.Namespace) -> Iterator[Task]:
    for n_known in arguments.known:
        for contender in ("scikit-optimize", "fast-gp"):
            yield Task(contender, "Hartmann-6", 0, n_known=n_known, profiled=True)


def _studies(arguments: argparse.Namespace) -> Iterator[Task]:
    for seed in range(arguments.seeds):
        for function in FUNCTIONS:
            for contender in CONTENDERS:
                yield Task(contender, function, seed, n_calls=arguments.calls)


def _task(record: dict[str, Any]) -> Task:
    return Task(**{name: record[name] for name in Task.__dataclass_fields__})


def _ordered(records: list[dict[str, Any]], wanted: list[Task]) -> list[dict[str, Any]]:
    places = {task: place for place, task in enumerate(wanted)}
    return sorted(records, key=lambda record: places.get(_task(record), -1))


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
