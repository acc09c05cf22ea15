"""`mlflow-hpo report`: the page about a study, as a file and as an artifact of its run."""

from __future__ import annotations

from pathlib import Path

import click

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.project.cli._options import RunId, Text


@click.command()
@click.argument("run_id", metavar="RUN", type=RunId())
@click.option("--output", type=Text(), default="report.html", show_default=True, help="File to write the page to.")
@click.option("--log", is_flag=True, help="Store the page, and its plots as PNG files, on the study's run too.")
@click.option("--tracking-uri", type=Text(), help="MLflow tracking store, such as http://127.0.0.1:5000.")
@click.option("--debug", is_flag=True, help="Show tracebacks and what MLflow says.")
def report(run_id: str, output: str | None, log: bool, tracking_uri: str | None, debug: bool) -> None:
    """Write a page about the study whose run is RUN: one HTML file that needs no other.

    The study may still be running.
    """
    file = output_file(output or "report.html")
    from mlflow_hpo.project._store import choose_store

    choose_store(tracking_uri, None)
    from mlflow_hpo.report import log_report, report_html

    if log:
        files = log_report(run_id)
        write_page(file, files["report.html"])
        click.echo(f"Stored on run {run_id}: {', '.join(files)}")
    else:
        write_page(file, report_html(run_id).encode())


def output_file(path: str) -> Path:
    """Return a file that can be written.

    Parameters
    ----------
    path : str
        As it was given.

    Raises
    ------
    InvalidArgumentError
        It is a folder, or its folder does not exist.
    """
    file = Path(path)
    if file.is_dir():
        raise InvalidArgumentError(f"--output {path} is a folder; name a file in it, such as {file / 'report.html'}.")
    if not file.absolute().parent.is_dir():
        raise InvalidArgumentError(f"--output {path}: the folder {file.parent} does not exist; make it first.")
    return file


def write_page(file: Path, page: bytes) -> None:
    """Write a page, and say so.

    Raises
    ------
    InvalidArgumentError
        The file cannot be written.
    """
    try:
        file.write_bytes(page)
    except OSError as error:
        raise InvalidArgumentError(f"--output {file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file} ({len(page) / 1000:,.0f} kB)")
