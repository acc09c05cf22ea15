"""`RESULTS.md`: cost of a call as calls grow, and what is found after so many."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.machine import machine

_PACKAGES = ("scikit-optimize", "scikit-learn", "numpy", "scipy", "optuna", "torch")
_BASELINE = "scikit-optimize"
Record = dict[str, Any]


def write_report(records: Sequence[Record], path: Path) -> None:
    """Write the tables of all that was measured."""
    path.write_text("\n\n".join(_sections(records)) + "\n")


def _sections(records: Sequence[Record]) -> Iterable[str]:
    yield "# The Gaussian process in long studies"
    yield (
        "Written by `python -m benchmarks.gp`; Optuna takes part where it and PyTorch are installed. One BLAS thread; "
        "seconds of processor time. Other work on the machine disturbs these less than a clock, but still does: the "
        "ratios count, and they are rough."
    )
    yield f"- Machine: {machine()}\n- Versions: {_versions()}"
    costs = [record for record in records if record["n_known"] and not record["profiled"]]
    profiles = [record for record in records if record["profiled"]]
    studies = [record for record in records if record["n_calls"]]
    if costs:
        yield (
            "## Cost of a call\n\nMedian seconds a call when so many calls are known; in brackets, how many times less "
            "than scikit-optimize."
        )
        yield _costs(costs)
    if profiles:
        yield (
            f"## Where it goes\n\nParts of a call on {profiles[0]['function']}, under a profiler, which makes many "
            "small Python calls look dearer than they are."
        )
        yield _profiles(profiles)
    if studies:
        seeds = len({record["seed"] for record in studies})
        yield (
            f"## Quality\n\nDistance of the best value so far from the minimum: median of {seeds} seeds, with "
            "quartiles. The last column is the median study's seconds."
        )
        yield _qualities(studies)
        yield (
            "## Seed by seed\n\nfast-gp against scikit-optimize from the same initial points: on how many seeds its "
            "best value is nearer the minimum, the geometric mean of the distances' ratio (over 1: fast-gp is farther)"
            ", and the p-value of Wilcoxon's signed-rank test on their logarithms, not corrected for the number of "
            "tests. A high one says that so few seeds show no difference, not that there is none."
        )
        yield _duels(studies)


def _costs(records: Sequence[Record]) -> str:
    known = sorted({record["n_known"] for record in records})
    rows = []
    for function, contender in _groups(records):
        cells = []
        for n_known in known:
            seconds = _seconds(records, function, contender, n_known)
            ratio = _seconds(records, function, _BASELINE, n_known) / seconds
            cells.append(f"{seconds:.3f} ({ratio:.1f}x)")
        rows.append([function, contender, *cells])
    return _table(["function", "surrogate", *(f"{n_known} known" for n_known in known)], rows)


def _seconds(records: Sequence[Record], function: str, contender: str, n_known: int) -> float:
    found = [
        second
        for record in records
        if (record["function"], record["contender"], record["n_known"]) == (function, contender, n_known)
        for second in record["seconds"]
    ]
    return median(found) if found else float("nan")


def _profiles(records: Sequence[Record]) -> str:
    records = sorted(records, key=lambda record: (-len(record["contender"]), record["n_known"]))
    rows = [
        [record["contender"], str(record["n_known"]), *(f"{part:.0%}" for part in record["parts"].values())]
        for record in records
    ]
    return _table(["surrogate", "calls known", *records[0]["parts"]], rows)


def _qualities(records: Sequence[Record]) -> str:
    length = min(record["n_calls"] for record in records)
    marks = [mark for mark in (20, 40, 60, 100, 200) if mark <= length]
    rows = []
    for function, contender in _groups(records):
        chosen = _of(records, function, contender)
        cells = []
        for mark in marks:
            quartiles = np.quantile([min(record["regrets"][:mark]) for record in chosen], [0.25, 0.5, 0.75])
            cells.append(f"{quartiles[1]:.2g} ({quartiles[0]:.2g} to {quartiles[2]:.2g})")
        seconds = median(sum(record["seconds"][: length - 1]) for record in chosen)
        rows.append([function, contender, *cells, f"{seconds:.1f}"])
    return _table(["function", "surrogate", *(f"{mark} calls" for mark in marks), f"{length} calls cost"], rows)


def _duels(records: Sequence[Record]) -> str:
    length = min(record["n_calls"] for record in records)
    marks = [mark for mark in (20, 40, 60, 100, 200) if mark <= length]
    rows = []
    for function in dict.fromkeys(record["function"] for record in records):
        ours, theirs = (
            {record["seed"]: record["regrets"] for record in _of(records, function, contender)}
            for contender in ("fast-gp", _BASELINE)
        )
        seeds = sorted(ours.keys() & theirs.keys())
        cells = []
        for mark in marks:
            pairs = np.log([[min(ours[seed][:mark]), min(theirs[seed][:mark])] for seed in seeds])
            differences = pairs[:, 0] - pairs[:, 1]
            lower, ratio = int((differences < 0).sum()), float(np.exp(differences.mean()))
            cells.append(f"{lower} of {len(seeds)}, {ratio:.2f}, p = {wilcoxon(differences).pvalue:.2f}")
        rows.append([function, *cells])
    return _table(["function", *(f"{mark} calls" for mark in marks)], rows)


def _of(records: Sequence[Record], function: str, contender: str) -> list[Record]:
    return [record for record in records if (record["function"], record["contender"]) == (function, contender)]


def _groups(records: Sequence[Record]) -> list[tuple[str, str]]:
    functions = dict.fromkeys(record["function"] for record in records)
    contenders = dict.fromkeys(record["contender"] for record in records)
    return [(f, c) for f in functions for c in contenders if _of(records, f, c)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
