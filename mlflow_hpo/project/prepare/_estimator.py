"""From what a study file names to an estimator that takes the whole search space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlflow_hpo.core.errors import did_you_mean
from mlflow_hpo.project.prepare._callbacks import build_callbacks
from mlflow_hpo.project.prepare._user_code import called, function_name, named_function, required_arguments
from mlflow_hpo.project.prepare._values import check_value, telling_values
from mlflow_hpo.project.study_file import StudyFile

# scikeras hands these to a model function that asks for them.
_SUPPLIED = {"meta", "compile_kwargs", "params"}


def build_estimator(study: StudyFile) -> Any:
    """Build the estimator, with fixed values, fit settings and seed set on it.

    Parameters
    ----------
    study : StudyFile
        The study.

    Returns
    -------
    estimator
        Every parameter of the search space can be set on it.

    Raises
    ------
    StudyFileError
        The function is not there or fails, or the estimator does not take a parameter.
    """
    path = ("model",) if study.config.model is not None else ("estimator",)
    function = named_function(study, path, str(getattr(study.config, path[0])))
    estimator = _keras_estimator(study, function) if path == ("model",) else _from_factory(study, path, function)
    _check_task(study, path, estimator)
    _check_space(study, estimator)
    if path == ("model",):
        _check_arguments(study, function, estimator)
    _set_fit_settings(study, estimator)
    _set(study, ("space",), estimator, study.space.fixed)
    for name in study.space.fixed:
        check_value(study, name, estimator)
    return _set(study, ("seed",), estimator, _seeds(study, estimator))


def _keras_estimator(study: StudyFile, function: Callable[..., Any]) -> Any:
    from mlflow_hpo.keras import KerasClassifier, KerasRegressor

    kind = KerasClassifier if study.config.task == "classification" else KerasRegressor
    return kind(model=function, verbose=0)


def _from_factory(study: StudyFile, path: tuple[str, ...], factory: Callable[..., Any]) -> Any:
    required = required_arguments(factory)
    if required:
        raise study.error(path, f"is called without arguments, and needs {', '.join(required)}; give them defaults.")
    estimator = called(study, path, function_name(factory), factory)
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise study.error(path, f"returns a scikit-learn estimator; got {type(estimator).__name__}.")
    return estimator


def _check_task(study: StudyFile, path: tuple[str, ...], estimator: Any) -> None:
    from sklearn.base import is_classifier, is_regressor

    task, kind = study.config.task, type(estimator).__name__
    if (task == "classification" and is_regressor(estimator)) or (task == "regression" and is_classifier(estimator)):
        made = "regressor" if task == "classification" else "classifier"
        raise study.error(path, f"makes a {made} ({kind}), and the task is {task}.")


def _check_arguments(study: StudyFile, function: Callable[..., Any], estimator: Any) -> None:
    given = {*study.config.space, *estimator.get_params(deep=False), *_SUPPLIED}
    missing = [name for name in required_arguments(function) if name not in given]
    if missing:
        raise study.error(
            ("model",),
            f"{function_name(function)} needs {', '.join(missing)}, which the space does not name; "
            f"add it to the space, such as {missing[0]}: {{fixed: 1}}, or give it a default.",
        )


def _check_space(study: StudyFile, estimator: Any) -> None:
    """Try one value of each parameter on a copy."""
    from sklearn.base import clone

    for name, parameter in study.space.searched.items():
        copy = clone(estimator)
        for value in telling_values(parameter, study.config.strategy):
            try:
                copy.set_params(**{name: value})
            except (ValueError, AttributeError, TypeError) as error:
                raise study.error(("space", name), _not_taken(study, name, estimator, error)) from error
            check_value(study, name, copy)


def _not_taken(study: StudyFile, name: str, estimator: Any, error: Exception) -> str:
    if "Did you mean" in str(error) or study.config.model is not None:
        return str(error)  # a Keras estimator knows what its model function takes
    known = list(estimator.get_params())
    # In a pipeline the step's name is what people forget.
    inside = [one for one in known if one.endswith(f"__{name}")]
    hint = f" Did you mean {inside[0]!r}?" if inside else did_you_mean(name, known)
    return f"{type(estimator).__name__} has no such parameter.{hint} get_params() of the estimator lists its names."


def _set_fit_settings(study: StudyFile, estimator: Any) -> None:
    fit = study.config.fit
    for key in ("epochs", "batch_size", "validation_split", "class_weight"):
        value = getattr(fit, key)
        if value is not None:
            _set(study, ("fit", key), estimator, {_find(study, estimator, key): value})
    if fit.callbacks is not None:
        name = _find(study, estimator, "callbacks")
        _set(study, ("fit", "callbacks"), estimator, {name: build_callbacks(study, fit.callbacks)})


def _find(study: StudyFile, estimator: Any, key: str) -> str:
    """Return the name under which the estimator, or the one network inside of it, takes a fit setting."""
    known = estimator.get_params()
    if key in known:
        return key
    inside = [name for name in known if name.endswith(f"__{key}")]
    if len(inside) == 1:
        return str(inside[0])
    kind = type(estimator).__name__
    if not inside:
        raise study.error(("fit", key), f"{kind} has no such parameter; remove it, or take a Keras estimator.")
    raise study.error(
        ("fit", key),
        f"{kind} has several of them: {', '.join(inside)}. Set the one that is meant in the space, "
        f"such as {inside[0]}: {{fixed: ...}}.",
    )


def _set(study: StudyFile, path: tuple[str, ...], estimator: Any, values: dict[str, Any]) -> Any:
    for name, value in values.items():
        try:
            estimator.set_params(**{name: value})
        except (ValueError, AttributeError, TypeError) as error:
            where = (*path, name) if path == ("space",) else path
            raise study.error(where, _not_taken(study, name, estimator, error)) from error
    return estimator


def _seeds(study: StudyFile, estimator: Any) -> dict[str, Any]:
    """Return the seeds to set: wherever the estimator has none of its own."""
    seed = study.config.seed
    if seed is None:
        return {}
    known = estimator.get_params().items()
    unseeded = [name for name, value in known if name.split("__")[-1] == "random_state" and value is None]
    return {name: seed for name in unseeded if name not in study.config.space}
