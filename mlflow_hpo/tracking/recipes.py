"""What to type to use what a study has found: load its model, serve it, train it again."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Mapping
from typing import Any

from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.tracking import names

_ENTRY_POINT = "mlflow.project.entryPoint"
_SOURCE_TYPE = "mlflow.source.type"
_SOURCE_NAME = "mlflow.source.name"
_OURS = ("space.", "search.", "best.")
_VALUE = 200


def use_store(tracking_uri: str) -> str:
    """Return the command after which the others find the store."""
    return f"export MLFLOW_TRACKING_URI={shlex.quote(without_credentials(tracking_uri))}"


def load_code(tracking_uri: str, model: str) -> str:
    """Return the Python code that loads a model.

    Parameters
    ----------
    tracking_uri : str
        The store.
    model : str
        The model's URI.

    Examples
    --------
    >>> print(load_code("http://127.0.0.1:5000", "models:/digits@champion"))
    import mlflow
    <BLANKLINE>
    mlflow.set_tracking_uri('http://127.0.0.1:5000')
    model = mlflow.pyfunc.load_model('models:/digits@champion')
    model.predict(X)
    """
    return (
        "import mlflow\n\n"
        f"mlflow.set_tracking_uri({without_credentials(tracking_uri)!r})\n"
        f"model = mlflow.pyfunc.load_model({model!r})\n"
        "model.predict(X)"
    )


def serve_command(tracking_uri: str, model: str) -> str:
    """Return the commands that serve a model."""
    serve = f"mlflow models serve -m {shlex.quote(model)} \\\n  --env-manager local --port 5001"
    return f"{use_store(tracking_uri)}\n{serve}"


def ui_command(tracking_uri: str) -> str:
    """Return the command that shows a store without a server in MLflow's UI."""
    return f"mlflow ui --backend-store-uri {shlex.quote(without_credentials(tracking_uri))}"


def is_project(tags: Mapping[str, str]) -> bool:
    """Return whether `mlflow run` has run a study, by the tags of its run."""
    return tags.get(_SOURCE_TYPE) == "PROJECT"


def again(tags: Mapping[str, str], params: Mapping[str, str], best: Mapping[str, str]) -> str:
    """Return what runs a study again, where it was a project's, or trains its best trial again.

    Parameters
    ----------
    tags, params : mapping of str to str
        Of the study's run.
    best : mapping of str to str
        The parameters of its best trial.
    """
    return _project_command(tags, params) if is_project(tags) else _params_code(tags, best)


def _project_command(tags: Mapping[str, str], params: Mapping[str, str]) -> str:
    source = without_credentials(tags.get(_SOURCE_NAME, ".").partition("#")[0]).removeprefix("file://")
    words = ["mlflow", "run", source, "-e", tags.get(_ENTRY_POINT, "main"), "--env-manager", "local"]
    for name, value in params.items():
        if not name.startswith(_OURS) and (given := _unquoted(value)):
            words += ["-P", f"{name}={given}"]
    return shlex.join(words)


def _unquoted(value: str) -> str:
    """Return a parameter of `mlflow run` as it was given: it is logged as the shell would have it quoted."""
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def _params_code(tags: Mapping[str, str], best: Mapping[str, str]) -> str:
    rows = [f"    {name!r}: {_literal(value)}," for name, value in best.items()]
    use = "estimator.set_params(**params).fit(X, y)"
    if tags.get(names.STRATEGY) == "gp_minimize":
        use = "objective([params[dimension.name] for dimension in dimensions])"
    return "\n".join(["params = {", *rows, "}", use])


def _literal(text: str) -> str:
    """Return a parameter's text as Python writes its value: MLflow keeps the text alone."""
    try:
        value: Any = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    return names.cut(repr(value), _VALUE)
