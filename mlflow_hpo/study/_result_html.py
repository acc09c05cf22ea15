"""A study's result as a notebook shows it: its best trials with links to their runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.study.naming import short_name
from mlflow_hpo.tracking.links import has_server, run_link
from mlflow_hpo.tracking.read import TrialRecord

if TYPE_CHECKING:
    from mlflow_hpo.study.result import StudyResult

_MOST_TRIALS = 10
_MOST_PARAMS = 8
_CELL_LENGTH = 24
_SCORE = 'style="text-align:right"'


def result_html(result: StudyResult, trials: Sequence[TrialRecord], spread: str) -> str:
    """Return a study's best trials as HTML.

    Parameters
    ----------
    result : StudyResult
    trials : sequence of TrialRecord
        All its trials, best first.
    spread : str
        The metric that holds the spread of a trial's score.
    """
    shown = trials[:_MOST_TRIALS]
    params = list(dict.fromkeys(name for trial in shown for name in trial.params))[:_MOST_PARAMS]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("trial", "score", "+/-", *map(short_name, params), "status"))
    rows = "".join(f"<tr>{''.join(_cells(result, trial, params, spread))}</tr>" for trial in shown)
    return (
        f"<div><p>{'<br>'.join(_lines(result, len(trials)))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _lines(result: StudyResult, n_trials: int) -> Iterator[str]:
    name = f"<b>{_link(result, result.run_id, result.name)}</b>"
    first = f", the best {_MOST_TRIALS} of them" if n_trials > _MOST_TRIALS else ""
    yield f"{name}: {n_trials} {'trial' if n_trials == 1 else 'trials'}{first}"
    if result.registered is not None:
        model, version = result.registered
        yield f"registered as {escape(model)} version {escape(version)}"
    if not has_server(result.tracking_uri):
        uri = escape(without_credentials(result.tracking_uri))
        yield f"its links need <code>mlflow ui --backend-store-uri {uri}</code>"


def _cells(result: StudyResult, trial: TrialRecord, params: Sequence[str], spread: str) -> Iterator[str]:
    yield f"<td>{_link(result, trial.run_id, f'{trial.number:03d}')}</td>"
    for value in (trial.score, trial.metrics.get(spread)):
        yield f"<td {_SCORE}>{'-' if value is None or math.isnan(value) else f'{value:.5g}'}</td>"
    for name in params:
        yield f"<td {_SCORE}>{_param(trial.params.get(name, '-'))}</td>"
    yield f"<td>{escape(trial.status)}</td>"


def _param(text: str) -> str:
    """Return a parameter's value in a few characters, the whole of it where a mouse rests."""
    try:
        short = f"{float(text):.5g}" if len(text) > 8 else text
    except ValueError:
        short = text if len(text) <= _CELL_LENGTH else text[: _CELL_LENGTH - 1] + "…"
    return escape(text) if short == text else f'<span title="{escape(text)}">{escape(short)}</span>'


def _link(result: StudyResult, run_id: str, text: str) -> str:
    return f'<a href="{escape(run_link(result, run_id))}" target="_blank">{escape(text)}</a>'
