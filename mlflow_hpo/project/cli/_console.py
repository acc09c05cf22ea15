"""What the command line prints: what is about to run, and tables of trials."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from mlflow_hpo.core.redact import printable

if TYPE_CHECKING:
    import pandas as pd

    from mlflow_hpo.project.prepare import PreparedStudy

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


def best_first(trials: pd.DataFrame, *, greater_is_better: bool = True) -> pd.DataFrame:
    """Return the trials, best score first; those without a score come last."""
    return trials.sort_values("score", ascending=not greater_is_better, na_position="last", kind="stable")


def show_trials(trials: pd.DataFrame, params: Iterable[str]) -> None:
    """Print a table of trials.

    Parameters
    ----------
    trials : DataFrame
        A row a trial.
    params : iterable of str
        The columns that hold hyperparameters.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(title_justify="left", box=None, pad_edge=False)
    for name in ("trial", "score", "+/-", *params, "status"):
        table.add_column(printable(name), justify="right", overflow="fold")
    for _, row in trials.iterrows():
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
