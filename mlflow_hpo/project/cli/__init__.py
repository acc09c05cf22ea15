"""The command line: `mlflow-hpo init`, `run`, `check`, `schema`, `trials`, `best`, `register`, `report`, and others.

Heavy imports wait inside the commands: `mlflow-hpo --help` answers at once.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mlflow_hpo
from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project.cli._compare_command import compare
from mlflow_hpo.project.cli._deliver_command import deliver
from mlflow_hpo.project.cli._exits import ended
from mlflow_hpo.project.cli._init_command import init, schema
from mlflow_hpo.project.cli._options import Number, RunId, Text, WholeNumber, YesNo
from mlflow_hpo.project.cli._report_command import report

if TYPE_CHECKING:
    from mlflow_hpo.project.study_file import Override, StudyFile

DEFAULT_STUDY = Path(__file__).parents[1] / "default" / "study.yaml"

_PATHS = {
    "strategy": ("strategy",),
    "name": ("name",),
    "trials": ("trials",),
    "folds": ("cv", "folds"),
    "epochs": ("fit", "epochs"),
    "n_jobs": ("n_jobs",),
    "seed": ("seed",),
    "register_as": ("register_as",),
    "log_models": ("log_models",),
    "resume": ("resume",),
    "warm_start_from": ("warm_start_from",),
    "max_seconds": ("max_seconds",),
    "patience": ("patience",),
    "isolation": ("isolation",),
    "backend": ("backend",),
    "n_threads": ("n_threads",),
    "scheduler": ("scheduler",),
    "trial_seconds": ("trial_seconds",),
    "progress": ("progress",),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str or None
        None takes the process's own.
    """
    from mlflow_hpo.project.cli._quiet import silence

    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    if not debug:
        silence()
    command = functools.partial(cli.main, given, prog_name="mlflow-hpo", standalone_mode=False)
    sys.exit(ended(command, debug=debug))


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, invoke_without_command=True
)
@click.version_option(mlflow_hpo.__version__, prog_name="mlflow-hpo")
@click.option("--debug", is_flag=True, help="Show tracebacks and what TensorFlow and MLflow say.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Hyperparameter search for Keras and scikit-learn models, tracked in MLflow.

    \b
    mlflow-hpo run                  a first study, on handwritten digits, in about a minute
    mlflow-hpo init my-study        a project of your own
    mlflow-hpo run study.yaml       your own
    mlflow-hpo run -h               all that can be changed without editing the file
    """  # noqa: D301  (\b is click's mark for lines to leave as they are)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _study_options(command: Any) -> Any:
    options = [
        click.argument("study_file", metavar="[STUDY_FILE]", default="", type=Text()),
        click.option("--strategy", type=Text(), metavar="grid|random|bayes", help="How candidates are chosen."),
        click.option("--name", type=Text(), help="Name of the study."),
        click.option("--trials", type=WholeNumber(), help="How many candidates random and bayes try."),
        click.option("--folds", type=WholeNumber(), help="How many folds of cross-validation."),
        click.option("--epochs", type=WholeNumber(), help="How many epochs each network is trained."),
        click.option("--n-jobs", type=WholeNumber(), help="How many folds are trained at a time."),
        click.option("--seed", type=WholeNumber(), help="Seed of splits, candidates and networks."),
        click.option("--register-as", type=Text(), help="Registered model that the best becomes a version of."),
        click.option("--log-models", type=Text(), metavar="best_fold|all_folds|none", help="Which models are kept."),
        click.option(
            "--resume/--no-resume",
            default=None,
            help="Whether trials of an earlier start of the same study are taken from MLflow.",
        ),
        click.option("--warm-start-from", type=Text(), metavar="STUDY", help="Another study to start from."),
        click.option("--max-seconds", type=Number(), help="No trial begins after so many seconds."),
        click.option("--patience", type=WholeNumber(), help="End after so many trials without a better one."),
        click.option("--isolation", type=Text(), metavar="process", help="Train in worker processes that may crash."),
        click.option("--backend", type=Text(), metavar="threading|loky|dask", help="Whose workers train."),
        click.option("--n-threads", type=WholeNumber(), help="Threads of each TensorFlow operation in a trial."),
        click.option("--scheduler", type=Text(), help="Address of the Dask scheduler; else a cluster is started."),
        click.option("--trial-seconds", type=Number(), help="How long a trial may take; needs isolation or dask."),
        click.option("--progress", type=Text(), metavar="auto|live|lines|none", help="What is shown while it runs."),
        click.option("--resume-as", type=YesNo(), hidden=True),  # MLproject passes values, not flags
        click.option("--debug", is_flag=True, help="Show tracebacks and what TensorFlow and MLflow say."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@_study_options
@click.option("--experiment-name", type=Text(), help="MLflow experiment that the study's run belongs to.")
@click.option("--tracking-uri", type=Text(), help="MLflow tracking store, such as http://127.0.0.1:5000.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def run(study_file: str, experiment_name: str | None, tracking_uri: str | None, quiet: bool, **options: Any) -> None:
    """Run the study in STUDY_FILE (YAML), or the one on handwritten digits that comes with mlflow-hpo.

    Options replace what the file says. Everything is checked before anything trains.
    """
    study = _load(study_file, {**options, "progress": "none"} if quiet else options)
    from mlflow_hpo.project._store import choose_store
    from mlflow_hpo.project.cli import _console
    from mlflow_hpo.project.launch import run_study
    from mlflow_hpo.project.prepare import prepare
    from mlflow_hpo.tracking.delivery import courier

    choose_store(tracking_uri, experiment_name)
    courier().start()  # which imports for seconds, beside TensorFlow here
    prepared = prepare(study)
    if not quiet:
        _console.show_plan(prepared)
    run_study(prepared)


@cli.command()
@_study_options
def check(study_file: str, **options: Any) -> None:
    """Check the study in STUDY_FILE: load its data, build its estimator, and train nothing."""
    study = _load(study_file, options)
    from mlflow_hpo.project.cli import _console
    from mlflow_hpo.project.prepare import prepare

    _console.show_plan(prepare(study))
    click.echo(f"{study.document.file}: no mistake found")


def _run_options(command: Any) -> Any:
    options = [
        click.argument("run_id", metavar="RUN", type=RunId()),
        click.option("--tracking-uri", type=Text(), help="MLflow tracking store, such as http://127.0.0.1:5000."),
        click.option("--debug", is_flag=True, help="Show tracebacks and what MLflow says."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@_run_options
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def trials(run_id: str, tracking_uri: str | None, debug: bool, form: str) -> None:
    """List the trials of the study whose run is RUN, best first."""
    from mlflow_hpo.project.cli._report import list_trials

    list_trials(run_id, tracking_uri, form)


@cli.command()
@_run_options
def best(run_id: str, tracking_uri: str | None, debug: bool) -> None:
    """Show the best trial of the study whose run is RUN."""
    from mlflow_hpo.project.cli._report import show_best

    show_best(run_id, tracking_uri)


@cli.command()
@_run_options
@click.option("--name", "--as", type=Text(), required=True, help="Registered model that the best becomes a version of.")
@click.option("--alias", type=Text(), default="champion", show_default=True, help="Alias that the best version has.")
@click.option("--promote", is_flag=True, help="Move the alias even if the version that has it scored better.")
def register(run_id: str, tracking_uri: str | None, debug: bool, name: str, alias: str, promote: bool) -> None:
    """Register the best model of the study whose run is RUN."""
    from mlflow_hpo.project.cli._report import register_run

    register_run(run_id, tracking_uri, name=name, alias=alias, promote=promote)


cli.add_command(init)
cli.add_command(schema)
cli.add_command(report)
cli.add_command(compare)
cli.add_command(deliver)


def _load(study_file: str, options: dict[str, Any]) -> StudyFile:
    from mlflow_hpo.project.study_file import load_study_file

    try:
        return load_study_file(study_file or DEFAULT_STUDY, _overrides(options))
    except StudyFileError as error:
        raise StudyFileError(f"{error}{_where_paths_begin(study_file)}") from error


def _where_paths_begin(study_file: str) -> str:
    """Return a hint at the folder that `mlflow run` has put this process in; empty where the file is there."""
    if not study_file or os.path.isabs(study_file) or os.path.exists(study_file) or not os.environ.get("MLFLOW_RUN_ID"):
        return ""
    return " mlflow run starts in the project's folder: give the whole path, such as -P study=$PWD/study.yaml."


def _overrides(options: dict[str, Any]) -> list[Override]:
    from mlflow_hpo.project.study_file import Override

    given = dict(options)
    if given.get("resume") is None:
        given["resume"] = given.get("resume_as")
    return [
        Override(path, given[key], f"--{key.replace('_', '-')}")
        for key, path in _PATHS.items()
        if given.get(key) is not None
    ]
