"""`mlflow-hpo compare`: studies side by side, as a table in the terminal and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlflow_hpo.project.cli._options import RunId, Text
from mlflow_hpo.project.cli._report_command import output_file, write_page

if TYPE_CHECKING:
    from mlflow_hpo.report import ComparedStudy

_WIDE = 200
_COLUMNS = ("study", "strategy", "best", "+/- folds", "median", "trials", "failed", "wall time", "fits", "best after")
_TEXT_COLUMNS = ("study", "strategy")


@click.command()
@click.argument("run_ids", metavar="RUN RUN...", nargs=-1, type=RunId())
@click.option("--output", type=Text(), default="compare.html", show_default=True, help="File to write the page to.")
@click.option("--tracking-uri", type=Text(), help="MLflow tracking store, such as http://127.0.0.1:5000.")
@click.option("--debug", is_flag=True, help="Show tracebacks and what MLflow says.")
def compare(run_ids: Sequence[str], output: str | None, tracking_uri: str | None, debug: bool) -> None:
    """Compare the studies whose runs are RUN: best score, spread and time, as a table and as a page."""
    file = output_file(output or "compare.html")
    from mlflow_hpo.project._store import choose_store

    choose_store(tracking_uri, None)
    from mlflow_hpo.report import compare_studies, comparison_page

    compared = compare_studies(run_ids)
    _show(compared)
    write_page(file, comparison_page(compared).encode())


def _show(compared: Sequence[ComparedStudy]) -> None:
    from rich.console import Console
    from rich.table import Table

    from mlflow_hpo.report import comparable

    table = Table(box=None, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _TEXT_COLUMNS else "right", overflow="fold")
    for one in compared:
        table.add_row(*_row(one), style="bold" if one.is_best else None)
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:  # a file or pipe has no width of its own
        console.width = _WIDE
    console.print(table)
    studies = [one.study for one in compared]
    if best := next((one for one in compared if one.is_best), None):
        direction = "higher" if best.study.greater_is_better else "lower"
        click.echo(f"Best is {best.label}, by {best.study.metric} ({direction} is better)")
    elif not comparable(studies):
        click.echo("They rank by different metrics: their scores say nothing about each other.")


def _row(one: ComparedStudy) -> list[str]:
    from mlflow_hpo.report import show_number, show_seconds

    return [
        one.label,
        one.study.strategy,
        show_number(one.score, 5),
        show_number(one.spread, 2),
        show_number(one.median),
        str(one.n_trials),
        str(one.n_failed),
        show_seconds(one.seconds),
        show_seconds(one.fit_seconds),
        show_seconds(one.best_after),
    ]
