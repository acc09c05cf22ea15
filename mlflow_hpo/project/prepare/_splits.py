"""From a study file's `cv` section to scikit-learn's splitter."""

from __future__ import annotations

from typing import Any

from mlflow_hpo.core.errors import brief
from mlflow_hpo.project.prepare._data import Samples
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file.schema import CVSection

DEFAULT_FOLDS = 3


def build_splitter(study: StudyFile, samples: Samples) -> Any:
    """Return the splitter that the study names, after seeing that it can split these samples.

    Parameters
    ----------
    study : StudyFile
        The study.
    samples : Samples
        Its samples.

    Returns
    -------
    splitter
        A scikit-learn splitter, or a list with one pair of index arrays.

    Raises
    ------
    StudyFileError
        There are fewer samples, groups, or samples of a class than folds.
    """
    cv = study.config.cv
    kind = _kind(study, samples)
    if "group" in kind and samples.groups is None:
        raise study.error(("cv", "splitter"), f"{cv.splitter} needs groups; let the loader return X, y, groups.")
    if cv.holdout is not None:
        return _holdout(study, kind, cv.holdout, samples)
    folds = cv.folds or DEFAULT_FOLDS
    _check_counts(study, kind, folds, samples)
    return _folds(kind, folds, cv, study.config.seed)


def _kind(study: StudyFile, samples: Samples) -> str:
    splitter = study.config.cv.splitter
    if splitter != "auto":
        return splitter
    if samples.groups is not None:
        return "group"
    return "stratified" if _has_classes(study, samples) else "kfold"


def _has_classes(study: StudyFile, samples: Samples) -> bool:
    # Several columns of labels (one-hot, multilabel) have no classes that could be stratified.
    return study.config.task == "classification" and samples.y.ndim == 1


def _folds(kind: str, folds: int, cv: CVSection, seed: int | None) -> Any:
    from sklearn import model_selection as ms

    if kind == "time_series":
        return ms.TimeSeriesSplit(folds)
    makers = {
        "kfold": ms.KFold,
        "stratified": ms.StratifiedKFold,
        "group": ms.GroupKFold,
        "stratified_group": ms.StratifiedGroupKFold,
    }
    return makers[kind](folds, shuffle=cv.shuffle, random_state=seed if cv.shuffle else None)


def _holdout(study: StudyFile, kind: str, fraction: float, samples: Samples) -> Any:
    from sklearn import model_selection as ms

    rows = len(samples.y)
    if not study.config.cv.shuffle or kind == "time_series":
        return _last_rows(study, rows, fraction)
    makers = {"kfold": ms.ShuffleSplit, "stratified": ms.StratifiedShuffleSplit, "group": ms.GroupShuffleSplit}
    splitter = makers[kind](1, test_size=fraction, random_state=study.config.seed)
    try:
        next(iter(splitter.split(samples.X, samples.y, samples.groups)))
    except ValueError as error:
        raise study.error(("cv", "holdout"), f"this data cannot be split so: {brief(error)}") from error
    return splitter


def _last_rows(study: StudyFile, rows: int, fraction: float) -> Any:
    import numpy as np

    held_out = round(rows * fraction)
    if not 0 < held_out < rows:
        raise study.error(("cv", "holdout"), f"{fraction} of {rows} rows leaves one side without rows.")
    return [(np.arange(rows - held_out), np.arange(rows - held_out, rows))]


def _check_counts(study: StudyFile, kind: str, folds: int, samples: Samples) -> None:
    import numpy as np

    path = ("cv", "folds") if study.config.cv.folds is not None else ("cv",)
    if folds > len(samples.y) - (kind == "time_series"):
        raise study.error(path, f"{folds} folds need more than the {len(samples.y)} rows there are.")
    if kind.startswith("stratified") and _has_classes(study, samples):
        classes, counts = np.unique(samples.y, return_counts=True)
        if counts.min() < folds:
            rare = str(classes[counts.argmin()])
            raise study.error(path, f"class {rare!r} has {counts.min()} rows, too few for {folds} folds.")
    if "group" in kind and samples.groups is not None:
        groups = len(np.unique(samples.groups))
        if groups < folds:
            raise study.error(path, f"there are {groups} groups, too few for {folds} folds.")
