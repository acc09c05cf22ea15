"""KerasTuner, whose oracle goes through the same candidates; it has no way to MLflow."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

from benchmarks.contenders._native import cross_validate, fit
from benchmarks.contenders.contract import Found, Timed
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


def prepare(search: Search, seed: int) -> Timed:
    X, y = search.data()
    folds = search.folds(y, seed)
    keras.utils.set_random_seed(seed)
    tuner = _CrossValidatingTuner(
        oracle=_ListOracle(search.candidates(seed)),
        hypermodel=_HyperModel(search, search.make_space(seed)),
        directory="keras_tuner",
        overwrite=True,
    )

    def run() -> Found:
        tuner.search(search, X, y, folds, verbose=0)
        best = tuner.oracle.get_best_trials(1)[0]
        fit(search, best.hyperparameters.values, X, y)
        return Found(float(best.score))

    return run
