"""Loading the samples that a study file names, and refusing those that nothing could be learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflow_hpo.core.errors import brief, did_you_mean
from mlflow_hpo.project.prepare._tables import load_npz, load_table
from mlflow_hpo.project.prepare._user_code import called, named_function
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file._meaning import source_of
from mlflow_hpo.project.study_file.schema import BUNDLED


@dataclass(frozen=True)
class Samples:
    """What a search learns from.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        A DataFrame, if it came from a table.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        What to predict.
    groups : ndarray of shape (n_samples,) or None
        Samples of one group stay on one side of each split.
    """

    X: Any
    y: Any
    groups: Any = None


def load_samples(study: StudyFile) -> Samples:
    """Load the samples of a study.

    Parameters
    ----------
    study : StudyFile
        The study.

    Returns
    -------
    Samples
        Checked: as many targets as rows, none of them missing, of a kind that fits the task.

    Raises
    ------
    StudyFileError
        The data cannot be read, or cannot be learned from.
    """
    source = source_of(study.config.data)
    samples = _LOADERS[source](study)
    samples = Samples(samples.X, _labels(samples.y), _labels(samples.groups))
    _check_samples(study, source, samples)
    return samples


def _labels(values: Any) -> Any:
    """Return labels as an array, where a loader has them as a list."""
    import numpy as np

    try:
        return np.asarray(values) if isinstance(values, list | tuple) else values
    except ValueError:  # rows of unequal length
        return values


def _bundled(study: StudyFile) -> Samples:
    name = str(study.config.data.sklearn)
    if name not in BUNDLED:
        hint = did_you_mean(name, BUNDLED)
        raise study.error(("data", "sklearn"), f"is one of {', '.join(BUNDLED)}; got {name!r}.{hint}")
    import sklearn.datasets

    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    return Samples(X, y)


def _from_loader(study: StudyFile) -> Samples:
    path = ("data", "loader")
    loader = named_function(study, path, str(study.config.data.loader))
    returned = called(study, path, "the loader", loader, **(study.config.data.args or {}))
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        raise study.error(path, f"a loader returns (X, y) or (X, y, groups); got {type(returned).__name__}.")
    return Samples(*returned)


def _from_table(study: StudyFile) -> Samples:
    return Samples(*load_table(study))


def _from_npz(study: StudyFile) -> Samples:
    return Samples(*load_npz(study))


_LOADERS: dict[str, Callable[[StudyFile], Samples]] = {
    "csv": _from_table,
    "parquet": _from_table,
    "npz": _from_npz,
    "loader": _from_loader,
    "sklearn": _bundled,
}


def _check_samples(study: StudyFile, source: str, samples: Samples) -> None:
    target = ("data", "target") if study.config.data.target else ("data", source)
    rows = _rows(study, (*target[:1], source), samples.X)
    for what, values in (("y", samples.y), ("groups", samples.groups)):
        if values is not None and _rows(study, target, values) != rows:
            raise study.error(target, f"X has {rows} rows, and {what} has {_rows(study, target, values)}.")
    if rows < 2:
        raise study.error(("data", source), f"has {rows} rows; a search needs more.")
    if 0 in getattr(samples.X, "shape", ()):
        raise study.error(("data", source), "has no features; a search needs some to predict from.")
    _check_target(study, target, samples.y)
    _check_groups(study, target, samples.groups)


def _rows(study: StudyFile, path: tuple[str, ...], values: Any) -> int:
    shape = getattr(values, "shape", None)
    try:
        rows = shape[0] if shape else len(values)
    except TypeError:
        raise study.error(path, f"is no array: {type(values).__name__}.") from None
    return int(rows)


def _check_target(study: StudyFile, path: tuple[str, ...], y: Any) -> None:
    import pandas as pd

    try:
        missing = pd.isna(pd.DataFrame(y)).any(axis=1)
    except (ValueError, TypeError) as error:
        raise study.error(path, f"targets are one value a row, or one row of values; {brief(error)}") from error
    if missing.any():
        count, first = int(missing.sum()), int(missing.argmax()) + 1
        raise study.error(path, f"{count} of {len(missing)} targets are missing, the first in row {first}.")
    if study.config.task == "classification":
        _check_classes(study, path, y)
    else:
        _check_numbers(study, path, y)


def _check_groups(study: StudyFile, path: tuple[str, ...], groups: Any) -> None:
    import pandas as pd

    if groups is not None and pd.isna(groups).any():
        raise study.error(path, f"{int(pd.isna(groups).sum())} rows have no group.")


def _check_classes(study: StudyFile, path: tuple[str, ...], y: Any) -> None:
    import numpy as np
    from sklearn.utils.multiclass import type_of_target

    try:
        kind = type_of_target(y)
    except ValueError as error:
        raise study.error(path, f"cannot be predicted: {brief(error)}") from error
    if kind.startswith("continuous"):
        raise study.error(path, "holds real numbers, and the task is classification; set task: regression.")
    if kind == "unknown":
        raise study.error(path, "mixes kinds of values; labels are all text or all whole numbers.")
    if np.ndim(y) == 1 and len(np.unique(y)) < 2:
        raise study.error(path, "holds one class only; a classifier needs at least two.")


def _check_numbers(study: StudyFile, path: tuple[str, ...], y: Any) -> None:
    import numpy as np

    try:
        values = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise study.error(
            path, "holds other than numbers, and the task is regression; set task: classification."
        ) from None
    if not np.isfinite(values).all():
        raise study.error(path, "holds infinite values.")
