"""The commands that read a study back from MLflow: its trials, its best, its registration."""

from __future__ import annotations

import click

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.core.redact import printable
from mlflow_hpo.project._store import choose_store
from mlflow_hpo.project.cli._console import best_first, show_trials
from mlflow_hpo.project.study_file._names import ALIAS, MODEL_NAME, is_alias, is_model_name


def list_trials(run_id: str, tracking_uri: str | None, form: str) -> None:
    """Print the trials of a study as a table, as CSV or as JSON, best first."""
    choose_store(tracking_uri, None)
    from mlflow_hpo.tracking import read_trials

    trials = best_first(read_trials(run_id), greater_is_better=_greater_is_better(run_id))
    if form == "csv":
        click.echo(trials.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(trials.to_json(orient="records", indent=2))
    else:
        known = {"number", "status", "score", "run_id"}
        # MLflow keeps parameters as text and metrics as numbers.
        params = [name for name in trials.columns if name not in known and trials[name].dtype.kind != "f"]
        show_trials(trials, params)


def _greater_is_better(run_id: str) -> bool:
    from mlflow_hpo.tracking import names
    from mlflow_hpo.tracking.read import read_study_run

    return read_study_run(run_id).data.tags.get(names.DIRECTION, "True") == "True"


def show_best(run_id: str, tracking_uri: str | None) -> None:
    """Print the best trial of a study."""
    choose_store(tracking_uri, None)
    from mlflow_hpo.tracking import best_trial

    trial = best_trial(run_id)
    click.echo(f"trial  {trial.number}")
    click.echo(f"score  {trial.score:.6g}")
    for name, value in trial.params.items():
        click.echo(printable(f"param  {name} = {value}"))
    click.echo(f"run    {trial.run_id}")


def register_run(run_id: str, tracking_uri: str | None, *, name: str | None, alias: str, promote: bool) -> None:
    """Register the best model of a study."""
    if not name:
        raise InvalidArgumentError("--name is the name of a registered model; got nothing.")
    if not is_model_name(name):
        raise InvalidArgumentError(f"--name: {MODEL_NAME}; got {shown(name)}.")
    if not is_alias(alias):
        raise InvalidArgumentError(f"--alias: {ALIAS}; got {shown(alias)}.")
    choose_store(tracking_uri, None)
    from mlflow_hpo.tracking import register_best

    registration = register_best(run_id, name=name, alias=alias, promote=promote)
    click.echo(f"{registration.name} version {registration.version}: {registration.reason}")
