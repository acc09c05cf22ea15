"""What the command line prints: tables of trials, and how a study went."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from mlflow_hpo.core.redact import printable

if TYPE_CHECKING:
    import pandas as pd

    from mlflow_hpo.project.prepare import PreparedStudy

_BEST = 5
_FRACTION = re.compile(r"-?\d*\.\d+(e[-+]?\d+)?|-?\d+e[-+]?\d+")
_WIDE = 200


def show_plan(prepared: PreparedStudy) -> None:
    """Print what is about to run."""
    config, space = prepared.study.config, prepared.study.space
    X = prepared.samples.X
    shape = " x ".join(map(str, X.shape if hasattr(X, "shape") else (len(X),)))
    trials, splits = prepared.n_trials, prepared.n_splits
    click.echo(printable(f"{config.strategy} search over {', '.join(space.searched)}"))
    click.echo(f"{trials} trials x {splits} splits = {trials * splits} fits on {shape} samples")


def show_result(search: Any, trials: pd.DataFrame) -> None:
    """Print how a study went, and where to look at it.

    Parameters
    ----------
    search : search
        Fitted, with `study_`.
    trials : DataFrame
        Its trials, as read back from MLflow.
    """
    result = search.study_
    show_trials(best_first(trials), list(search.best_params_), limit=_BEST)
    failed = int((trials["status"] == "FAILED").sum())
    if failed:
        click.echo(f"{failed} of {len(trials)} trials failed; their runs hold the tracebacks.")
    click.echo(f"Best score  {search.best_score_:.6g}")
    click.echo(f"Best params {_pairs(search.best_params_)}")
    click.echo(f"Run         {result.run_id} ({result.name})")
    if result.registered is not None:
        click.echo(f"Registered  {result.registered[0]} version {result.registered[1]}")
    show_link(result.tracking_uri, result.experiment_id, result.run_id)


def show_link(tracking_uri: str, experiment_id: str, run_id: str) -> None:
    """Print how to look at the run of a study, and at its trials."""
    from mlflow_hpo.tracking.links import has_server, run_path, ui_address, view_path
    from mlflow_hpo.tracking.recipes import ui_command

    if not has_server(tracking_uri):
        click.echo(f"Look at it  {ui_command(tracking_uri)}")
    click.echo(f"Study       {ui_address(tracking_uri, run_path(experiment_id, run_id))}")
    click.echo(f"Trials      {ui_address(tracking_uri, view_path(experiment_id, run_id))}")


def best_first(trials: pd.DataFrame, *, greater_is_better: bool = True) -> pd.DataFrame:
    """Return the trials, best score first; those without a score come last."""
    return trials.sort_values("score", ascending=not greater_is_better, na_position="last", kind="stable")


def show_trials(trials: pd.DataFrame, params: Iterable[str], limit: int | None = None) -> None:
    """Print a table of trials.

    Parameters
    ----------
    trials : DataFrame
        A row a trial.
    params : iterable of str
        The columns that hold hyperparameters.
    limit : int or None
        How many rows are shown; None shows all.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(title_justify="left", box=None, pad_edge=False)
    for name in ("trial", "score", "+/-", *params, "status"):
        table.add_column(printable(name), justify="right", overflow="fold")
    rows = trials if limit is None else trials.head(limit)
    for _, row in rows.iterrows():
        spread = next((row[name] for name in trials.columns if name.startswith("std_test_")), None)
        cells = [row["number"], row["score"], spread, *(row.get(name) for name in params), row["status"]]
        table.add_row(*map(_cell, cells))
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:  # a file or pipe has no width of its own
        console.width = _WIDE
    console.print(table)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        value = float(value)  # MLflow keeps parameters as text, with all their digits
    return f"{value:.5g}" if isinstance(value, float) else printable(str(value))


def _pairs(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{printable(name)}={_cell(value)}" for name, value in params.items())
