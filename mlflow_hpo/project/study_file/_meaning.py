"""What the keys of a study file mean together: the checks that no key can make alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import did_you_mean
from mlflow_hpo.project.study_file._names import check_tracking
from mlflow_hpo.project.study_file._problems import Problem
from mlflow_hpo.project.study_file.schema import CVSection, DataSection, StudySection

DEFAULT_TRIALS = 20

DATA_TAKES = {
    "csv": {"target", "features", "drop", "separator"},
    "parquet": {"target", "features", "drop"},
    "npz": {"target", "features"},
    "loader": {"args"},
    "sklearn": set[str](),
}
WITH_COLUMNS = {"csv", "parquet", "npz"}
_GROUP_SPLITTERS = {"group", "stratified_group"}
_STRATIFIED = {"stratified", "stratified_group"}
_REFERENCE = re.compile(r"(.*[^/]\.py|[^\W\d]\w*(\.[^\W\d]\w*)*):[^\W\d]\w*")


def check_meaning(study: StudySection, from_options: Collection[tuple[str | int, ...]] = ()) -> Iterator[Problem]:
    """Yield what is wrong between the keys of a study file.

    Parameters
    ----------
    study : StudySection
        Each key of it is right by itself.
    from_options : collection of tuple
        The paths whose values come from the command line.
    """
    yield from _check_model(study)
    yield from _check_references(study)
    yield from _check_data(study.data)
    yield from _check_cv(study.cv, study)
    yield from _check_trials(study, from_options)
    yield from _check_scoring(study)
    yield from _check_fit(study)
    yield from check_tracking(study)
    if study.n_jobs == 0:
        yield Problem(("n_jobs",), "is 0; give the number of jobs, or -1 for as many as there are cores.")


def source_of(data: DataSection) -> str:
    """Return which of the sources the data section names."""
    return next(source for source in DATA_TAKES if getattr(data, source) is not None)


def _check_model(study: StudySection) -> Iterator[Problem]:
    if (study.model is None) == (study.estimator is None):
        yield Problem(
            ("model",) if study.model else (),
            "give either model (a function that returns a Keras model) or estimator (one that returns a whole "
            "scikit-learn estimator or pipeline), such as model: model.py:create_model.",
        )


def _check_references(study: StudySection) -> Iterator[Problem]:
    callbacks = study.fit.callbacks.custom if study.fit.callbacks else None
    for path, reference in (
        (("model",), study.model),
        (("estimator",), study.estimator),
        (("data", "loader"), study.data.loader),
        *((("fit", "callbacks", "custom", index), one) for index, one in enumerate(callbacks or [])),
    ):
        if reference is not None and not _REFERENCE.fullmatch(reference):
            yield Problem(
                path, f"names a function as file.py:function or package.module:function; got {shown(reference)}."
            )


def _check_data(data: DataSection) -> Iterator[Problem]:
    given = [source for source in DATA_TAKES if getattr(data, source) is not None]
    if len(given) != 1:
        found = f"; here are {' and '.join(given)}" if given else ""
        yield Problem(("data",), f"give exactly one of {', '.join(DATA_TAKES)}{found}.")
        return
    source = given[0]
    for key in sorted(data.model_fields_set - DATA_TAKES[source] - set(DATA_TAKES)):
        takes = ", ".join(sorted(DATA_TAKES[source])) or "nothing else"
        yield Problem(("data", key), f"has no meaning beside {source}, which takes {takes}.")
    if source in WITH_COLUMNS and data.target is None:
        yield Problem(("data",), f"target is missing: name the {_unit(source)} to predict.")
    if data.features and data.drop:
        yield Problem(("data", "drop"), "name the features or what to drop, not both.")
    if source == "npz" and data.features and len(data.features) != 1:
        yield Problem(("data", "features"), "is the name of one array; columns of several need a loader function.")


def _unit(source: str) -> str:
    return "array" if source == "npz" else "column"


def _check_cv(cv: CVSection, study: StudySection) -> Iterator[Problem]:
    if cv.folds is not None and cv.holdout is not None:
        yield Problem(("cv", "folds"), "give folds or holdout, not both.")
    if cv.splitter in _STRATIFIED and study.task == "regression":
        yield Problem(("cv", "splitter"), f"{cv.splitter} needs classes; for a regression take kfold or group.")
    if cv.splitter == "stratified_group" and cv.holdout is not None:
        yield Problem(("cv", "splitter"), "stratified_group makes folds only; for a holdout take group or stratified.")
    if cv.splitter == "time_series" and cv.shuffle and "shuffle" in cv.model_fields_set:
        yield Problem(("cv", "shuffle"), "time_series keeps the order of the rows; remove shuffle.")
    yield from _check_groups(cv, study.data)


def _check_groups(cv: CVSection, data: DataSection) -> Iterator[Problem]:
    if cv.groups is not None and cv.splitter not in _GROUP_SPLITTERS | {"auto"}:
        yield Problem(("cv", "groups"), f"the splitter {cv.splitter} knows no groups; take group or stratified_group.")
    sources = [source for source in DATA_TAKES if getattr(data, source) is not None]
    with_columns = bool(WITH_COLUMNS.intersection(sources))
    if cv.groups is not None and not with_columns:
        yield Problem(
            ("cv", "groups"), "names a column, and this data has none; let a loader function return X, y, groups."
        )
    if cv.groups is None and cv.splitter in _GROUP_SPLITTERS and with_columns:
        yield Problem(("cv", "splitter"), f"{cv.splitter} needs groups: name the column of the groups.")
    if cv.splitter in _GROUP_SPLITTERS and "sklearn" in sources:
        yield Problem(("cv", "splitter"), f"{cv.splitter} needs groups, and scikit-learn's data sets have none.")


def _check_trials(study: StudySection, from_options: Collection[tuple[str | int, ...]]) -> Iterator[Problem]:
    # A file serves all strategies, so trials may stand there for the others; on the command line it is a mistake.
    if study.strategy == "grid" and ("trials",) in from_options:
        yield Problem(("trials",), "a grid search tries every combination; shorten the grid, or take random or bayes.")
    trials = study.trials or DEFAULT_TRIALS
    too_many = study.initial_points is not None and study.initial_points > trials
    if too_many and study.strategy == "bayes" and ("trials",) not in from_options:
        yield Problem(("initial_points",), f"is at most the number of trials, {trials}; got {study.initial_points}.")


def _check_scoring(study: StudySection) -> Iterator[Problem]:
    scoring = study.scoring or []
    twice = {name for name in scoring if scoring.count(name) > 1}
    if twice:
        yield Problem(("scoring",), f"names {', '.join(sorted(twice))} twice.")
    if study.decide_by is not None and study.decide_by not in scoring:
        hint = did_you_mean(study.decide_by, scoring)
        named = ", ".join(scoring) or "none"
        yield Problem(("decide_by",), f"is one of the names in scoring ({named}); got {study.decide_by!r}.{hint}")


def _check_fit(study: StudySection) -> Iterator[Problem]:
    fit = study.fit
    for key in sorted(fit.model_fields_set & set(study.space)):
        yield Problem(("fit", key), f"{key} is in the space too; remove one of them.")
    callbacks = fit.callbacks
    if callbacks is None or study.model is None or fit.validation_split is not None:
        return
    for key, section in (
        ("early_stopping", callbacks.early_stopping),
        ("reduce_lr_on_plateau", callbacks.reduce_lr_on_plateau),
    ):
        if section is not None and section.monitor.startswith("val_") and "validation_split" not in study.space:
            yield Problem(
                ("fit", "callbacks", key),
                f"monitors {section.monitor}, which needs fit.validation_split, such as 0.1; or monitor: loss.",
            )
