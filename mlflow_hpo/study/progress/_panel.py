"""What a study looks like, for terminals and notebooks: while it runs, and the table of its best trials at its end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from mlflow_hpo.core.redact import printable
from mlflow_hpo.study.naming import short_name, short_params, short_value, trial_label
from mlflow_hpo.study.progress._snapshot import Running, Snapshot
from mlflow_hpo.study.progress._words import clock, counted, number, progress_metrics, scored
from mlflow_hpo.tracking.links import run_link

_MOST_RUNNING = 8
_BAR_WIDTH = 24


def panel(now: Snapshot, now_ms: int) -> RenderableType:
    """Return a running study: how far it is, its best trial, what runs, where to look at it."""
    link = run_link(now.run, now.run.run_id)
    head = Text.assemble((printable(now.name), "bold"), *([] if now.strategy in now.name else [f"  {now.strategy}"]))
    return Group(
        _one_line(head),
        _how_far(now, now_ms),
        *([_one_line(_best(now))] if now.best is not None else []),
        *_running(now),
        _one_line(Text(link, Style(dim=True, link=link))),
    )


def leaderboard(now: Snapshot) -> RenderableType:
    """Return the table of the best trials."""
    best = () if now.best is None or now.best in now.leaders else (now.best,)  # a search may rank by other rules
    leaders = (*best, *now.leaders)
    names = list(dict.fromkeys(name for trial in leaders for name in trial.params))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for name in ("trial", "score", "+/-", *map(short_name, names), "time"):
        table.add_column(Text(name), justify="right", overflow="fold")
    for trial in leaders:
        params = [short_value(trial.params[name]) if name in trial.params else "-" for name in names]
        seconds = "known" if trial.seconds is None else clock(trial.seconds)
        cells = [f"{trial.number:03d}", number(trial.value), number(trial.spread), *params, seconds]
        is_best = now.best is not None and now.best.number == trial.number
        table.add_row(*map(Text, cells), style="bold" if is_best else "")
    return table


def _one_line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def _how_far(now: Snapshot, now_ms: int) -> RenderableType:
    left = now.seconds_left(now_ms)
    told = [counted(now)]
    if now.is_refitting:
        told.append("refitting the best")
    elif now.n_running:
        told.append(f"{now.n_running} running")
    elif now.n_ended == 0:  # worker processes import TensorFlow, say
        told.append("starting")
    line = Text("  ".join(told))
    if now.n_failed:
        line.append(f"  {now.n_failed} failed", "red")
    line.append(f"  {clock(now.seconds(now_ms))}", "cyan")
    if left is not None and left >= 1 and not now.is_refitting:
        line.append(f", about {clock(left)} left", "cyan")
    if now.n_trials is None:  # a bar would have to know how long it is
        return _one_line(line)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(max_width=_BAR_WIDTH)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(ProgressBar(total=max(now.n_trials, 1), completed=now.n_ended), line)
    return grid


def _best(now: Snapshot) -> Text:
    assert now.best is not None
    best = now.best
    return Text.assemble(
        "best     ", (scored(best), "bold green"), f"  {trial_label(best.number)}  ", (short_params(best.params), "dim")
    )


def _running(now: Snapshot) -> list[RenderableType]:
    rows = [_cells(running) for running in now.running[:_MOST_RUNNING]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    more = len(now.running) - _MOST_RUNNING
    return [
        # No table: its columns would all become narrower where the parameters do not fit.
        *(_one_line(_row(row, widths, running)) for row, running in zip(rows, now.running, strict=False)),
        *([Text(f"and {more} more", "dim")] if more > 0 else []),
    ]


def _row(cells: Sequence[str], widths: Sequence[int], running: Running) -> Text:
    told = "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True) if width)
    return Text.assemble(told, (short_params(running.params), "dim"))


def _cells(running: Running) -> tuple[str, str, str, str]:
    return (
        "refit" if running.trial is None else trial_label(running.trial),
        "" if running.fold is None else f"fold {running.fold}",
        f"epoch {running.epochs}" if running.epochs else "",
        progress_metrics(running.metrics),
    )
