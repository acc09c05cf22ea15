"""The fresh process of one run: `python -m benchmarks.worker JOB RESULT`. Only the search itself is timed."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    job, result = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    warnings.filterwarnings("ignore")
    try:
        measured = _measured(job)
    except Exception as error:
        result.write_text(json.dumps({"error": type(error).__name__}))
        raise
    result.write_text(json.dumps(measured))


def _measured(job: dict[str, Any]) -> dict[str, Any]:
    if "scale" in job:
        return _scale(job)
    return _startup(job) if "way" in job else _search(job)


def _search(job: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.contenders import CONTENDERS
    from benchmarks.searches import SEARCHES

    search = SEARCHES[job["search"]]
    timed = CONTENDERS[job["contender"]].prepare(search.quick() if job["quick"] else search, job["seed"])
    before = time.perf_counter()
    found = timed()
    seconds = time.perf_counter() - before
    return {
        "seconds": seconds,
        "best_score": found.best_score,
        "scores": found.scores,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + found.helpers_mb,
    }


def _scale(job: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.scale import STUDIES

    return STUDIES[job["scale"]].measure(quick=job["quick"])


def _startup(job: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.startup import WAYS

    return WAYS[job["way"]].measure(job["seed"])


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Ray and TensorFlow may take seconds to end their threads, and nothing is left to do.
    os._exit(0)
