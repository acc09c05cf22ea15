"""The note on a study's run, shown by MLflow's UI as markdown: what was found, and where its trials are."""

from __future__ import annotations

from urllib.parse import quote

from mlflow.entities import Run

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.read import TrialRecord


def trials_link(experiment_id: str, run_id: str, metric: str, *, ascending: bool = False) -> str:
    """Return the address, within the UI, of all trials of a study as charts, the best first.

    By default the UI hides trials behind their parent, and charts the parent alone.

    Examples
    --------
    >>> trials_link("1", "abc", "mean_test_score")[:40]
    '#/experiments/1/runs?searchFilter=tags.%'
    """
    query = {
        "searchFilter": f"tags.`{names.PARENT_RUN_ID}` = '{run_id}'",
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": str(ascending).lower(),
        "compareRunsMode": "CHART",
    }
    return f"#/experiments/{experiment_id}/runs?" + "&".join(f"{name}={quote(text)}" for name, text in query.items())


def study_note(study: Run, best: TrialRecord) -> str:
    """Return the note of a study that has ended.

    Parameters
    ----------
    study : Run
        The study's run.
    best : TrialRecord
        Its best trial.
    """
    info, tags = study.info, study.data.tags
    metric = tags[names.METRIC]
    link = trials_link(info.experiment_id, info.run_id, metric, ascending=tags[names.DIRECTION] == "False")
    lines = [
        f"**{metric} = {best.score}** in the [best trial](#/experiments/{info.experiment_id}/runs/{best.run_id}).",
        "",
        "| parameter | best |",
        "|---|---|",
        *(f"| `{name}` | `{value}` |" for name, value in best.params.items()),
        "",
        f"[All trials as charts]({link}), the best first.",
    ]
    return names.tag_value("\n".join(lines))
