"""One measurement each: a whole study, or the cost of some calls when many are known."""

from __future__ import annotations

import cProfile
import pstats
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gp.contenders import CONTENDERS
from benchmarks.gp.functions import FUNCTIONS

# Intervals between calls that are measured with `n_known` calls known.
_N_INTERVALS = 3


@dataclass(frozen=True)
class Task:
    """What is measured.

    Parameters
    ----------
    contender, function : str
    seed : int
    n_calls : int
        Length of a study, or 0 to measure the cost alone.
    n_known : int
        Number of random points known before the calls whose cost is measured.
    profiled : bool
        Whether the parts of scikit-optimize's step are told apart, which slows them down.
    """

    contender: str
    function: str
    seed: int
    n_calls: int = 0
    n_known: int = 0
    profiled: bool = False


def measure(task: Task) -> dict[str, Any]:
    """Return the task with its `regrets`, the `seconds` of processor time between its calls, and their `parts`."""
    function = FUNCTIONS[task.function]
    regrets: list[float] = []
    clock: list[float] = []

    def objective(point: Sequence[float]) -> float:
        clock.append(time.process_time())
        regrets.append(function.regret(point))
        return regrets[-1]

    random = np.random.default_rng(task.seed)
    low, high = np.transpose(function.bounds)
    points = random.uniform(low, high, size=(task.n_known, len(low))).tolist()
    known = points, [function.regret(point) for point in points]
    profile = cProfile.Profile()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if task.profiled:
            profile.enable()
        n_calls = task.n_calls or _N_INTERVALS + 1
        CONTENDERS[task.contender](objective, function.bounds, known, n_calls, task.seed)
        profile.disable()
    parts = _parts(profile) if task.profiled else {}
    return asdict(task) | {"regrets": regrets, "seconds": np.diff(clock).tolist(), "parts": parts}


def _parts(profile: cProfile.Profile) -> dict[str, float]:
    """Return how much of scikit-optimize's steps each of their parts takes."""
    spent: dict[tuple[str, str], float] = {}
    for (path, _, name), (*_, cumulative, _callers) in pstats.Stats(profile).stats.items():
        # Several classes of a file have a method of this name, and the outermost takes the longest.
        place = (Path(path).name, name)
        spent[place] = max(cumulative, spent.get(place, 0.0))
    acquisition = spent["acquisition.py", "_gaussian_acquisition"]
    parts = {
        "hyperparameters": spent["gpr.py", "fit"],
        "10,000 candidates, three times": acquisition - spent["acquisition.py", "gaussian_acquisition_1D"],
        "acquisition's L-BFGS": spent["_lbfgsb_py.py", "fmin_l_bfgs_b"],
        "candidates drawn": spent["space.py", "rvs"] + spent["space.py", "transform"],
    }
    return {name: seconds / spent["optimizer.py", "_tell"] for name, seconds in parts.items()}
