"""What people call the keys of a study file out of habit: scikit-learn's, scikit-optimize's and Optuna's words."""

from __future__ import annotations

from collections.abc import Collection

from mlflow_hpo.core.errors import did_you_mean

_HABITS = {
    "trials": {"n_iter", "n_calls", "n_trials", "max_trials", "iterations", "n_candidates"},
    "seed": {"random_state", "random_seed"},
    "space": {"param_grid", "param_distributions", "search_space", "params", "parameters", "hyperparameters"},
    "model": {"build_fn", "create_model", "model_fn", "network"},
    "strategy": {"search", "method", "algorithm", "sampler", "tuner"},
    "scoring": {"metric", "metrics", "score", "objective"},
    "decide_by": {"refit"},
    "initial_points": {"n_initial_points", "n_startup_trials"},
    "register_as": {"registered_model_name", "model_name"},
    "name": {"study", "study_name", "run_name"},
    "folds": {"n_splits", "n_folds", "k", "cv"},
    "holdout": {"test_size", "validation_size"},
    "target": {"y", "label", "labels", "target_column"},
    "features": {"x", "columns"},
    "separator": {"sep", "delimiter"},
    "real": {"float", "uniform", "loguniform", "range"},
    "integer": {"int", "randint"},
    "categories": {"choice", "choices", "values", "categorical", "options"},
    "fixed": {"value", "constant"},
    "bayes": {"gp", "bayesian", "gp_minimize", "bayessearchcv", "gpsearchcv", "skopt"},
    "grid": {"gridsearchcv", "exhaustive"},
    "random": {"randomizedsearchcv", "randomized"},
    "--experiment-name on the command line": {"experiment", "experiment_name"},
    "--tracking-uri on the command line": {"tracking_uri", "mlflow_tracking_uri"},
}


def habit(word: str, allowed: Collection[str]) -> str | None:
    """Return the name that other libraries have `word` for, if it is allowed here or has its place elsewhere."""
    names = (name for name, words in _HABITS.items() if word.casefold() in words)
    return next((name for name in names if name in allowed or name.startswith("--")), None)


def meant(word: str, allowed: Collection[str]) -> str:
    """Word the hint for a name that is not known here, by habit or by its letters.

    Parameters
    ----------
    word : str
        The name that was given.
    allowed : collection of str
        The names that would have been accepted.

    Returns
    -------
    str
        A sentence that starts with a space, or an empty string where nothing is close.

    Examples
    --------
    >>> meant("n_iter", ["trials", "seed"])
    " Did you mean 'trials'?"
    >>> meant("sede", ["trials", "seed"])
    " Did you mean 'seed'?"
    """
    name = habit(word, allowed)
    if name is None:
        return did_you_mean(word, allowed)
    return f" Did you mean {name!r}?" if name in allowed else f" Give it as {name}."
