"""From a study file's `scoring` to scorers that are known to work on the study's targets."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from mlflow_hpo.core.errors import brief, did_you_mean
from mlflow_hpo.project.prepare._data import Samples
from mlflow_hpo.project.study_file import StudyFile

_DEFAULTS = {"classification": "accuracy", "regression": "r2"}


@dataclass(frozen=True)
class Scoring:
    """How trials are scored.

    Parameters
    ----------
    names : tuple of str
        scikit-learn's names.
    decide_by : str
        The one by which the best trial is chosen.
    """

    names: tuple[str, ...]
    decide_by: str

    @property
    def scoring(self) -> str | list[str]:
        """What a search takes as `scoring`."""
        return self.names[0] if len(self.names) == 1 else list(self.names)

    @property
    def refit(self) -> bool | str:
        """What a search takes as `refit`."""
        return True if len(self.names) == 1 else self.decide_by


def build_scoring(study: StudyFile, samples: Samples) -> Scoring:
    """Return the study's scoring, after trying each scorer on a dummy's predictions of the study's targets.

    Raises
    ------
    StudyFileError
        scikit-learn has no such scorer, or it cannot score such targets.
    """
    from sklearn.metrics import get_scorer_names

    names = study.config.scoring or [_DEFAULTS[study.config.task]]
    known = get_scorer_names()
    for index, name in enumerate(names):
        path = ("scoring", index) if ("scoring", index) in study.document.lines else ("scoring",)
        if name not in known:
            hint = did_you_mean(name, known) or " scikit-learn's user guide lists them under 'scoring'."
            raise study.error(path, f"scikit-learn has no scoring {name!r}.{hint}")
        _try(study, path, name, samples)
    return Scoring(tuple(names), study.config.decide_by or names[0])


def _try(study: StudyFile, path: tuple[str | int, ...], name: str, samples: Samples) -> None:
    import numpy as np
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.metrics import get_scorer

    classification = study.config.task == "classification"
    dummy: Any = DummyClassifier(strategy="prior") if classification else DummyRegressor()
    nothing = np.zeros((len(samples.y), 1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            get_scorer(name)(dummy.fit(nothing, samples.y), nothing, samples.y)
    except Exception as error:
        raise study.error(path, f"{name} cannot score this {study.config.task}: {brief(error)}") from error
