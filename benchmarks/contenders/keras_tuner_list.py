"""KerasTuner, whose oracle goes through the same candidates; it has no way to MLflow."""

from __future__ import annotations

import multiprocessing
import os
import threading
from typing import Any

import keras
import keras_tuner

from benchmarks.contenders._native import cross_validate, fit
from benchmarks.contenders.contract import Found, Timed
from benchmarks.launch import free_port
from benchmarks.searches import Choice, Search


class _ListOracle(keras_tuner.Oracle):
    """Proposes what is on a list."""

    def __init__(self, candidates: list[dict[str, Any]]) -> None:
        objective = keras_tuner.Objective("score", "max")
        super().__init__(objective=objective, max_trials=len(candidates))
        self._left = list(candidates)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the next candidate, or that there is none."""
        if not self._left:
            return {"status": "STOPPED", "values": None}
        return {"status": "RUNNING", "values": self._left.pop(0)}


class _CrossValidatingTuner(keras_tuner.Tuner):
    """Scores a trial by cross-validation."""

    def run_trial(self, trial: Any, search: Search, X: Any, y: Any, folds: Any, **_: Any) -> dict[str, float]:
        """Return the mean accuracy."""
        space = self.hypermodel.space
        params = {name: _suggest(trial.hyperparameters, name, dimension) for name, dimension in space.items()}
        return {"score": cross_validate(search, params, X, y, folds)}

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        """Save nothing."""


class _HyperModel(keras_tuner.HyperModel):
    """Carries the space; KerasTuner builds it once to learn its names."""

    def __init__(self, search: Search, space: Any) -> None:
        super().__init__()
        self.search, self.space = search, space

    def build(self, hp: Any) -> Any:
        """Return a compiled network."""
        return self.search.create_model(**{name: _suggest(hp, name, dim) for name, dim in self.space.items()})


def _suggest(hp: Any, name: str, dimension: Any) -> Any:
    if isinstance(dimension, Choice):
        return hp.Choice(name, list(dimension.values))
    return hp.Float(name, dimension.low, dimension.high, sampling="log" if dimension.log else "linear")


def _make_tuner(search: Search, seed: int) -> _CrossValidatingTuner:
    keras.utils.set_random_seed(seed)
    return _CrossValidatingTuner(
        oracle=_ListOracle(search.candidates(seed)),
        hypermodel=_HyperModel(search, search.make_space(seed)),
        directory="keras_tuner",
    )


def _work(name: str, search: Search, seed: int) -> None:
    """Be one of the workers of a distributed search: a process that asks the chief for trials."""
    os.environ["KERASTUNER_TUNER_ID"] = name
    X, y = search.data()
    _make_tuner(search, seed).search(search, X, y, search.folds(y, seed), verbose=0)


def _search_in_processes(tuner: _CrossValidatingTuner, search: Search, seed: int, workers: int) -> None:
    names = [f"tuner{number}" for number in range(workers)]
    # It serves until all that it knows have been told to stop: one who is still importing counts.
    tuner.oracle.tuner_ids.update(names)
    # As it looks only now and then whether all is done, up to 20 seconds apart, its end is not waited for.
    threading.Thread(target=tuner.search, kwargs={"verbose": 0}, daemon=True).start()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_work, args=(name, search, seed), daemon=True) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("A worker of KerasTuner has failed.")


def prepare(search: Search, seed: int, workers: int = 1) -> Timed:
    X, y = search.data()
    folds = search.folds(y, seed)
    if workers > 1:
        chief = {"TUNER_ID": "chief", "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": str(free_port())}
        os.environ.update({f"KERASTUNER_{name}": value for name, value in chief.items()})
    tuner = _make_tuner(search, seed)

    def run() -> Found:
        if workers > 1:
            _search_in_processes(tuner, search, seed, workers)
        else:
            tuner.search(search, X, y, folds, verbose=0)
        best = tuner.oracle.get_best_trials(1)[0]
        fit(search, best.hyperparameters.values, X, y)
        return Found(float(best.score))

    return run
