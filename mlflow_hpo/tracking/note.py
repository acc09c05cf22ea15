"""The note on a study's run, shown by MLflow's UI as markdown: what was found, where its trials are, how to use it."""

from __future__ import annotations

from mlflow.entities import Run

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.links import run_path, trials_path, view_path
from mlflow_hpo.tracking.read import TrialRecord
from mlflow_hpo.tracking.recipes import again, is_project, load_code, serve_command


def study_note(study: Run, best: TrialRecord, tracking_uri: str, model: str | None = None) -> str:
    """Return the note of a study that has ended.

    The UI folds it after a few lines: the links come first.

    Parameters
    ----------
    study : Run
        The study's run.
    best : TrialRecord
        Its best trial.
    tracking_uri : str
        The store.
    model : str or None
        URI of the best model, if one was kept.
    """
    info, tags = study.info, study.data.tags
    ids = info.experiment_id, info.run_id
    metric = tags[names.METRIC]
    plain = trials_path(*ids, metric, ascending=tags[names.DIRECTION] == "False")
    lines = [
        f"**{metric} = {best.score:.6g}** in the [best trial]({run_path(info.experiment_id, best.run_id)}).",
        f"[All trials as a table]({view_path(*ids)}), the best first; [as charts]({view_path(*ids, charts=True)}).",
        "",
        "| parameter | best |",
        "|---|---|",
        *(f"| `{name}` | `{value}` |" for name, value in best.params.items()),
        "",
    ]
    if model is not None:
        lines += _code("Load the model", "python", load_code(tracking_uri, model))
        lines += _code("Serve it", "bash", serve_command(tracking_uri, model))
    code = again(tags, study.data.params, best.params)
    if is_project(tags):
        lines += _code("Run the study again", "bash", code)
    else:
        lines += _code("Train the best trial again", "python", code)
    lines += [f"An experiment keeps the views of its 50 latest studies: [these trials without one]({plain})."]
    return names.tag_value("\n".join(lines))


def _code(title: str, language: str, code: str) -> list[str]:
    return [f"**{title}**", "", f"```{language}", code, "```", ""]
