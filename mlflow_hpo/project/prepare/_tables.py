"""Reading tables (CSV, Parquet) and NumPy archives, and picking features, target and groups out of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import StudyFileError, brief, did_you_mean
from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.project._files import near_names, problem_with
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file._meaning import source_of

_MOST_NAMES = 20
# As a study file has them.
_SEPARATORS = {";": "';'", "\t": '"\\t"', "|": "'|'", ",": "','"}


def load_table(study: StudyFile) -> tuple[pd.DataFrame, Any, Any]:
    """Return features, target and groups (or None) of a CSV or Parquet file.

    Raises
    ------
    StudyFileError
        The file cannot be read, or has not the columns that are named.
    """
    data, cv = study.config.data, study.config.cv
    table = _read(study, _read_csv if source_of(data) == "csv" else _read_parquet)
    columns = [str(column) for column in table.columns]
    _check_columns(study, ("data", "target"), [data.target], columns)
    _check_columns(study, ("cv", "groups"), [cv.groups], columns)
    _check_columns(study, ("data", "features"), data.features or [], columns)
    _check_columns(study, ("data", "drop"), data.drop or [], columns)
    chosen = data.features or [name for name in columns if name not in {data.target, cv.groups, *(data.drop or [])}]
    if not chosen:
        raise study.error(("data",), f"no column is left to predict from: {data.target!r} is the only one.")
    if data.target in chosen:
        raise study.error(("data", "features"), f"name the target {data.target!r}, which is not known when predicting.")
    if table.empty:
        raise study.error(("data", source_of(data)), "has no rows.")
    if table[data.target].notna().sum() == 0:
        raise study.error(("data", "target"), "has no value at all.")
    groups = None if cv.groups is None else _groups(study, table[cv.groups])
    return table[chosen], _values(table[data.target]), groups


def load_npz(study: StudyFile) -> tuple[Any, Any, Any]:
    """Return features, target and groups (or None) of a NumPy archive.

    Raises
    ------
    StudyFileError
        The file cannot be read, or has not the arrays that are named.
    """
    data, cv = study.config.data, study.config.cv
    arrays: dict[str, Any] = _read(study, _read_npz)
    for path, name in ((("data", "target"), data.target), (("cv", "groups"), cv.groups)):
        _check_columns(study, path, [name], list(arrays))
    rest = [name for name in arrays if name not in (data.target, cv.groups)]
    features = data.features or rest
    _check_columns(study, ("data", "features"), features, list(arrays))
    if len(features) != 1:
        named = _listed(rest) if rest else "none"
        raise study.error(("data",), f"say which array holds the features, as features: NAME. There are: {named}.")
    if features[0] == data.target:
        raise study.error(("data", "features"), f"name the target {data.target!r}, which is not known when predicting.")
    groups = None if cv.groups is None else arrays[cv.groups]
    return arrays[features[0]], arrays[str(data.target)], groups


def _read(study: StudyFile, read: Callable[[StudyFile, Path], Any]) -> Any:
    source = source_of(study.config.data)
    name = str(getattr(study.config.data, source))
    path = ("data", source)
    if "://" in name:
        raise study.error(path, f"names a file, not an address; download {without_credentials(name)} first.")
    file = study.folder / name
    problem = problem_with(file, "a file in it")
    if problem is not None:
        raise study.error(path, problem + near_names(file, (file.suffix,)))
    try:
        return read(study, file)
    except StudyFileError:
        raise
    except Exception as error:
        # Each reader has errors of its own for a file that is not what its name says.
        raise study.error(path, f"{file} is no {source} file that can be read: {brief(error)}") from error


def _read_csv(study: StudyFile, file: Path) -> pd.DataFrame:
    separator = study.config.data.separator or ","
    table = pd.read_csv(file, sep=separator)
    _check_header(study, file, separator)
    _check_separator(study, table)
    return table


def _check_separator(study: StudyFile, table: pd.DataFrame) -> None:
    if len(table.columns) > 1 or study.config.data.target in table.columns:
        return
    found = next((one for one in _SEPARATORS if one in str(table.columns[0])), None)
    if found is not None:
        raise study.error(
            ("data", "csv"),
            f"has one column only, {shown(str(table.columns[0]))}, which looks like several: "
            f"say what separates them, separator: {_SEPARATORS[found]}.",
        )


def _check_header(study: StudyFile, file: Path, separator: str) -> None:
    """Refuse a column name that is there twice: pandas would number the second silently."""
    if file.suffix != ".csv":
        return
    with file.open(newline="", encoding="utf-8-sig") as lines:
        header = next(csv.reader(lines, delimiter=separator), [])
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise study.error(("data", "csv"), f"{file} has {_listed(twice)} twice in its header.")


def _read_parquet(study: StudyFile, file: Path) -> pd.DataFrame:
    return pd.read_parquet(file, engine="pyarrow")


def _read_npz(study: StudyFile, file: Path) -> dict[str, Any]:
    import numpy as np

    # Objects in an archive are pickles, and a pickle runs code.
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError("it holds one array without a name")
    with archive:
        return {name: archive[name] for name in archive.files}


def _check_columns(study: StudyFile, path: tuple[str, ...], names: Iterable[str | None], known: list[str]) -> None:
    for name in names:
        if name is not None and name not in known:
            hint = did_you_mean(name, known)
            raise study.error(path, f"there is no {name!r} in the data.{hint} There are: {_listed(known)}.")


def _listed(names: list[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _groups(study: StudyFile, column: pd.Series[Any]) -> Any:
    if column.isna().any():
        raise study.error(("cv", "groups"), f"{int(column.isna().sum())} rows of {column.name!r} have no group.")
    return _values(column)


def _values(column: pd.Series[Any]) -> Any:
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dtype):
        return column.astype(object).to_numpy()
    return column.to_numpy()
