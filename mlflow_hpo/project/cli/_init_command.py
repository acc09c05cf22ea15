"""`mlflow-hpo init` and `mlflow-hpo schema`: where a project begins, and what helps to write its study file."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mlflow_hpo.core.redact import printable
from mlflow_hpo.project.cli._options import Text


@click.command()
@click.argument("folder", type=Text(), required=False)
@click.option("--template", type=Text(), metavar="NAME", help="What to begin with; --list tells the names.")
@click.option("--list", "list_them", is_flag=True, help="List the templates.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def init(context: click.Context, folder: str | None, template: str | None, list_them: bool, debug: bool) -> None:
    """Write a complete small project into FOLDER, new or empty: it runs at once, and is yours to change.

    The study, its registered model and the MLflow project are called as the folder is.
    """
    from mlflow_hpo.project.scaffold import DEFAULT, TEMPLATES, project_name, write_project

    if list_them:
        for name, summary in TEMPLATES.items():
            click.echo(f"{name:<{max(map(len, TEMPLATES))}}  {summary}")
        return
    if folder is None:
        raise click.UsageError("Name the folder of the new project, such as mlflow-hpo init my-study.", context)
    chosen = template or DEFAULT
    files = write_project(Path(folder), chosen)
    click.echo(printable(f"Wrote {folder} ({chosen}): {', '.join(files)}"))
    click.echo(printable(_next_steps(Path(folder), project_name(Path(folder)))))


def _next_steps(folder: Path, name: str) -> str:
    study, experiment = shlex.quote(str(folder / "study.yaml")), shlex.quote(name)
    return f"""
Check it    mlflow-hpo check {study}
Run it      mlflow run {shlex.quote(str(folder))} --env-manager local --experiment-name {experiment}
   or       mlflow-hpo run {study} --experiment-name {experiment}
Look at it  mlflow ui
Change      study.yaml: data, search space, strategy; model.py: the model"""


@click.command()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def schema(debug: bool) -> None:
    """Print the JSON Schema of study files, by which editors complete and check them.

    A study file names the file it is in: # yaml-language-server: $schema=study.schema.json
    """
    from mlflow_hpo.project.study_file.json_schema import schema_text

    click.echo(schema_text(), nl=False)
