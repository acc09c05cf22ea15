"""Start-up of workers: how long after `fit` the study hears of a first epoch, and has a first fold's result."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from joblib import parallel_config

from benchmarks.contenders._sklearn import fit_settings
from benchmarks.searches import SEARCHES

_SEARCH = SEARCHES["digits"]
_CANDIDATES = 4

# One process measures one study.
_times: dict[str, float] = {}


def _watch() -> None:
    """Have this process's studies note when they first hear of an epoch, and first have the outcome of a fold."""
    from mlflow_hpo.core.reporting import EpochEnded
    from mlflow_hpo.study import session
    from mlflow_hpo.study.study import Study

    class Watched(Study):
        def hear(self, event: Any) -> bool:
            if isinstance(event, EpochEnded):
                _times.setdefault("first_epoch", time.perf_counter())
            return super().hear(event)

        def end_fold(self, outcome: Any) -> None:
            super().end_fold(outcome)
            _times.setdefault("first_fold", time.perf_counter())

    session.Study = Watched  # type: ignore[attr-defined, misc]


@dataclass(frozen=True)
class Way:
    """A way to have folds trained.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title : str
        What the report calls it.
    workers : int
    joblib_backend : str or None
        What the user has joblib use; None leaves it as it is.
    tracking : mapping of str to object
        What is asked of `Tracking`.
    packages : tuple of str
        What must be installed beyond this project, as it is imported.
    """

    name: str
    title: str
    workers: int = 2
    joblib_backend: str | None = None
    tracking: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.packages if importlib.util.find_spec(package) is None]

    def measure(self, seed: int) -> dict[str, Any]:
        """Run a short study, and return the seconds from `fit` to what is waited for."""
        import mlflow

        from mlflow_hpo import KerasClassifier, RandomizedSearchCV, Tracking

        mlflow.set_experiment("benchmark")
        X, y = _SEARCH.data()
        search = RandomizedSearchCV(
            KerasClassifier(_SEARCH.create_model, **fit_settings(_SEARCH)),
            _SEARCH.distributions(seed),
            n_iter=_CANDIDATES,
            n_jobs=self.workers,
            cv=_SEARCH.splitter(seed),
            random_state=seed,
            refit=False,
            tracking=Tracking(**self.tracking),
        )
        _watch()
        before = time.perf_counter()
        with nullcontext() if self.joblib_backend is None else parallel_config(backend=self.joblib_backend):
            search.fit(X, y)
        return {name: moment - before for name, moment in _times.items()}


INLINE = "inline"
WAYS = {
    way.name: way
    for way in (
        Way(INLINE, "one at a time, in the study's process", workers=1),
        Way("default", "2 workers, chosen by itself"),
        Way("threads", "2 threads", joblib_backend="threading"),
        Way("processes", "2 worker processes of its own", tracking={"isolation": "process"}),
        Way("loky", "2 processes of joblib's", tracking={"backend": "loky"}),
        Way("dask", "Dask, a LocalCluster of 2", tracking={"backend": "dask"}, packages=("distributed",)),
    )
}
