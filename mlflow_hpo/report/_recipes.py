"""What to type to use what a study has found: load its model, serve it, train it again, look at it."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.report._facts import RegisteredVersion, StudyFacts
from mlflow_hpo.report._links import has_server, shown_uri
from mlflow_hpo.report._values import shorten

_ENTRY_POINT = "mlflow.project.entryPoint"
_SOURCE_TYPE = "mlflow.source.type"
_SOURCE_NAME = "mlflow.source.name"
_COMMIT = "mlflow.source.git.commit"
_OURS = ("space.", "search.", "best.")
_VALUE = 200


@dataclass(frozen=True)
class Recipe:
    """A thing to do, and what to type for it.

    Parameters
    ----------
    title, code : str
    note : str
        What to know before.
    """

    title: str
    code: str
    note: str = ""


def recipes(study: StudyFacts, versions: Sequence[RegisteredVersion]) -> list[Recipe]:
    """Return what can be done with a study, the most wanted first."""
    model = _model_uri(study, versions)
    store = f"export MLFLOW_TRACKING_URI={shlex.quote(shown_uri(study))}"
    found: list[Recipe] = []
    if model is not None:
        found += [
            Recipe(
                "Load the model", _load(study, model), "It needs neither the source it was trained with nor mlflow_hpo."
            ),
            Recipe(
                "Serve it",
                f"{store}\nmlflow models serve -m {shlex.quote(model)} \\\n  --env-manager local --port 5001",
            ),
        ]
    if model is not None and not versions:
        register = f"{store}\nmlflow-hpo register {study.run_id} --name NAME"
        found.append(Recipe("Register it", register, "Not registered yet."))
    if study.best is not None:
        found.append(_reproduce(study))
    if not has_server(study):
        ui = f"mlflow ui --backend-store-uri {shlex.quote(shown_uri(study))}"
        found.append(Recipe("Look at it in MLflow", ui, "The links of this page lead to it while it runs."))
    return found


def _model_uri(study: StudyFacts, versions: Sequence[RegisteredVersion]) -> str | None:
    if versions:
        return versions[0].uri
    return None if study.model_id is None else f"models:/{study.model_id}"


def _load(study: StudyFacts, model: str) -> str:
    return (
        "import mlflow\n\n"
        f"mlflow.set_tracking_uri({shown_uri(study)!r})\n"
        f"model = mlflow.pyfunc.load_model({model!r})\n"
        "model.predict(X)"
    )


def _reproduce(study: StudyFacts) -> Recipe:
    commit = study.tags.get(_COMMIT)
    at = f"The code was at commit {commit[:12]}." if commit else ""
    if study.tags.get(_SOURCE_TYPE) == "PROJECT":
        return Recipe("Run the study again", _project_command(study), at)
    return Recipe("Train the best trial again", _params_code(study), at or "With the data and the seeds of the study.")


def _project_command(study: StudyFacts) -> str:
    source = without_credentials(study.tags.get(_SOURCE_NAME, ".").partition("#")[0]).removeprefix("file://")
    words = ["mlflow", "run", source, "-e", study.tags.get(_ENTRY_POINT, "main"), "--env-manager", "local"]
    for name, value in study.params.items():
        if not name.startswith(_OURS) and (given := _unquoted(value)):
            words += ["-P", f"{name}={given}"]
    return shlex.join(words)


def _unquoted(value: str) -> str:
    """Return a parameter of `mlflow run` as it was given: it is logged as the shell would have it quoted."""
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def _params_code(study: StudyFacts) -> str:
    params = study.best.params if study.best is not None else {}
    rows = [f"    {name!r}: {_literal(value)}," for name, value in params.items()]
    use = "estimator.set_params(**params).fit(X, y)"
    if study.strategy == "gp_minimize":
        use = "objective([params[dimension.name] for dimension in dimensions])"
    return "\n".join(["params = {", *rows, "}", use])


def _literal(text: str) -> str:
    """Return a parameter's text as Python writes its value: MLflow keeps the text alone."""
    try:
        value: Any = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    return shorten(repr(value), _VALUE)
