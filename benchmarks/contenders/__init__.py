"""Who takes part. Each module has `prepare(search, seed)`, which returns what is timed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from benchmarks.contenders.contract import Timed
from benchmarks.searches import Search


class Role(StrEnum):
    """What a contender is in the comparison."""

    PLAIN = "plain"
    PEER = "peer"
    OURS = "ours"
    FLOOR = "floor"


class Store(StrEnum):
    """Where a contender tracks."""

    NONE = "none"
    SQLITE = "sqlite"
    HTTP = "http"


@dataclass(frozen=True)
class Contender:
    """One who runs the searches.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title : str
        What the report calls it.
    role : Role
    module : str
        Its module in this package.
    store : Store
    packages : tuple of str
        What must be installed beyond this project, as it is imported.
    options : mapping of str to object
        Further arguments of its `prepare`.
    workers : int
        How many train at a time.
    alone : str
        The same contender with one worker; empty for one who is that.
    equals : str
        Who has the same scores to the last bit; empty where nobody need have them.
    """

    name: str
    title: str
    role: Role
    module: str
    store: Store = Store.NONE
    packages: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1
    alone: str = ""
    equals: str = ""

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.packages if importlib.util.find_spec(package) is None]

    def prepare(self, search: Search, seed: int) -> Timed:
        """Import, load and set up all that is not timed, and return what is."""
        module = importlib.import_module(f"benchmarks.contenders.{self.module}")
        timed: Timed = module.prepare(search, seed, **self.options)
        return timed


def _ours(
    name: str, title: str, store: Store, log_models: str | None, equals: str = "plain", **tracking: Any
) -> Contender:
    return Contender(
        name, title, Role.OURS, "ours", store, options={"log_models": log_models, **tracking}, equals=equals
    )


_ALONE = {
    contender.name: contender
    for contender in (
        Contender("plain", "scikit-learn + scikeras, untracked", Role.PLAIN, "plain"),
        Contender("autolog", "the same, mlflow.sklearn.autolog", Role.PEER, "autolog", Store.SQLITE),
        Contender(
            "optuna",
            "Optuna + MLflowCallback",
            Role.PEER,
            "optuna_mlflow",
            Store.SQLITE,
            ("optuna", "optuna_integration"),
        ),
        Contender("keras_tuner", "KerasTuner, untracked", Role.PEER, "keras_tuner_list", Store.NONE, ("keras_tuner",)),
        Contender("ray", "Ray Tune + MLflow logger", Role.PEER, "ray_tune", Store.SQLITE, ("ray",)),
        _ours("ours_untracked", "ours, untracked", Store.NONE, None),
        _ours("ours_none", "ours, tracked, no models", Store.SQLITE, "none"),
        _ours("ours_best", "ours, tracked, a model per trial", Store.SQLITE, "best_fold"),
        _ours("ours_all", "ours, tracked, a model per fold", Store.SQLITE, "all_folds"),
        _ours("ours_none_http", "ours, tracked over HTTP, no models", Store.HTTP, "none"),
        _ours("ours_all_http", "ours, tracked over HTTP, a model per fold", Store.HTTP, "all_folds"),
        # Of a larger network, results differ in the last bits with the number of threads that an operation uses.
        _ours(
            "ours_thread",
            "ours, tracked, a model per trial, one thread an operation",
            Store.SQLITE,
            "best_fold",
            equals="",
            n_threads=1,
        ),
        Contender("floor", "the training steps alone", Role.FLOOR, "floor"),
    )
}


def _two(name: str, alone: str, how: str, equals: str = "", **options: Any) -> Contender:
    """Return a contender that has two workers in the place of one."""
    one = _ALONE[alone]
    title = f"{one.title}, 2 workers ({how})"
    return replace(
        one,
        name=name,
        title=title,
        options={**one.options, "workers": 2, **options},
        workers=2,
        alone=alone,
        equals=equals,
    )


_PAIRS = {
    contender.name: contender
    for contender in (
        _two("plain_2", "plain", "joblib's processes"),
        _two("optuna_2", "optuna", "threads"),
        _two("keras_tuner_2", "keras_tuner", "processes"),
        _two("ray_2", "ray", "processes"),
        _two("ours_2", "ours_best", "by itself", "plain"),
        _two("ours_2_threads", "ours_best", "threads", "plain", joblib_backend="threading"),
        _two("ours_thread_2", "ours_thread", "by itself", "ours_thread"),
        _two("ours_thread_2_threads", "ours_thread", "threads", "ours_thread", backend="threading"),
        _two("ours_thread_2_processes", "ours_thread", "processes of its own", "ours_thread", isolation="process"),
    )
}
CONTENDERS = _ALONE | _PAIRS


def with_workers(workers: int) -> list[Contender]:
    """Return the contenders that have so many workers."""
    return [contender for contender in CONTENDERS.values() if contender.workers == workers]
