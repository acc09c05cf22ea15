"""What to type to use what a study has found, as the page tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_hpo.report._facts import RegisteredVersion, StudyFacts
from mlflow_hpo.tracking.links import has_server
from mlflow_hpo.tracking.recipes import again, is_project, load_code, serve_command, ui_command, use_store

_COMMIT = "mlflow.source.git.commit"


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
    uri, model = study.tracking_uri, _model_uri(study, versions)
    found: list[Recipe] = []
    if model is not None:
        needs = "It needs neither the source it was trained with nor mlflow_hpo."
        found.append(Recipe("Load the model", load_code(uri, model), needs))
        found.append(Recipe("Serve it", serve_command(uri, model)))
    if model is not None and not versions:
        register = f"{use_store(uri)}\nmlflow-hpo register {study.run_id} --name NAME"
        found.append(Recipe("Register it", register, "Not registered yet."))
    if study.best is not None:
        found.append(_reproduce(study, study.best.params))
    if not has_server(uri):
        found.append(
            Recipe("Look at it in MLflow", ui_command(uri), "The links of this page lead to it while it runs.")
        )
    return found


def _model_uri(study: StudyFacts, versions: Sequence[RegisteredVersion]) -> str | None:
    if versions:
        return versions[0].uri
    return None if study.model_id is None else f"models:/{study.model_id}"


def _reproduce(study: StudyFacts, best: Mapping[str, str]) -> Recipe:
    code = again(study.tags, study.params, best)
    commit = study.tags.get(_COMMIT)
    at = f"The code was at commit {commit[:12]}." if commit else ""
    if is_project(study.tags):
        return Recipe("Run the study again", code, at)
    return Recipe("Train the best trial again", code, at or "With the data and the seeds of the study.")
