"""From a checked study file to all that a search takes. The user's functions run here, and nothing trains yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow_hpo.project.prepare._data import Samples, load_samples
from mlflow_hpo.project.prepare._estimator import build_estimator
from mlflow_hpo.project.prepare._network import check_network
from mlflow_hpo.project.prepare._scoring import Scoring, build_scoring
from mlflow_hpo.project.prepare._splits import build_splitter
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file._meaning import DEFAULT_TRIALS


@dataclass(frozen=True)
class PreparedStudy:
    """A study that is ready to run.

    Parameters
    ----------
    study : StudyFile
        What was asked for.
    samples : Samples
        The data.
    scoring : Scoring
        How trials are scored.
    splitter : splitter
        How the data is split.
    estimator : estimator
        What is trained.
    """

    study: StudyFile
    samples: Samples
    scoring: Scoring
    splitter: Any
    estimator: Any

    @property
    def n_splits(self) -> int:
        """How many times each trial is trained."""
        return len(self.splitter) if isinstance(self.splitter, list) else self.splitter.get_n_splits()

    @property
    def n_trials(self) -> int:
        """How many candidates will be tried, at most."""
        config = self.study.config
        return self.study.space.grid_size() if config.strategy == "grid" else config.trials or DEFAULT_TRIALS


def prepare(study: StudyFile) -> PreparedStudy:
    """Load the data, build the estimator, and see that they fit together.

    Parameters
    ----------
    study : StudyFile
        The checked study file.

    Returns
    -------
    PreparedStudy
        Ready to run.

    Raises
    ------
    StudyFileError
        Something that the file names is not there, or does not fit.
    """
    # The estimator comes last: it takes seconds to import TensorFlow, and most mistakes are found before.
    samples = load_samples(study)
    scoring = build_scoring(study, samples)
    splitter = build_splitter(study, samples)
    if study.config.model is None:
        return PreparedStudy(study, samples, scoring, splitter, build_estimator(study))
    samples = _for_network(study, samples)
    estimator = build_estimator(study)
    check_network(study, estimator, samples)
    return PreparedStudy(study, samples, scoring, splitter, estimator)


def _for_network(study: StudyFile, samples: Samples) -> Samples:
    """Return samples that a bare network can be given: numbers, and no gaps."""
    import numpy as np
    import pandas as pd

    X = samples.X
    if isinstance(X, pd.DataFrame):
        _check_columns_are_numbers(study, X)
        X = X.astype(float)
    elif isinstance(X, np.ndarray) and X.dtype.kind not in "biuf":
        raise study.error(("data",), f"a Keras model takes numbers; the features are of type {X.dtype}.")
    if not _finite(X):
        raise study.error(
            ("data",), "features are missing or infinite; leave them out, or impute them in a pipeline (estimator:)."
        )
    return Samples(X, samples.y, samples.groups)


def _check_columns_are_numbers(study: StudyFile, X: Any) -> None:
    import pandas as pd

    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name]):
            raise study.error(
                ("data",),
                f"column {name!r} is not numeric, which a Keras model cannot take; "
                f"drop it (drop: [{name}]), or encode it in a pipeline (estimator:).",
            )
        if X[name].isna().any():
            first = int(X[name].isna().to_numpy().argmax()) + 1
            raise study.error(
                ("data",),
                f"column {name!r} has {int(X[name].isna().sum())} missing values, the first in row {first}; "
                f"drop it (drop: [{name}]), or impute it in a pipeline (estimator:).",
            )


def _finite(X: Any) -> bool:
    import numpy as np

    values = X if isinstance(X, np.ndarray) else getattr(X, "to_numpy", lambda: None)()
    return values is None or values.dtype.kind not in "f" or bool(np.isfinite(values).all())
