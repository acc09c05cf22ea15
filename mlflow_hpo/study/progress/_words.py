"""The words and numbers that all displays have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from mlflow_hpo.core.events import RunStatus
from mlflow_hpo.core.redact import printable
from mlflow_hpo.study.naming import short_params, short_value, trial_label
from mlflow_hpo.study.progress._snapshot import Ended, Snapshot
from mlflow_hpo.tracking.links import has_server, run_link, trials_link
from mlflow_hpo.tracking.recipes import ui_command


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours where there are any.

    Examples
    --------
    >>> clock(7.4), clock(83), clock(3725)
    ('0:07', '1:23', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def number(value: float | None) -> str:
    """Return a score in five digits.

    Examples
    --------
    >>> number(0.9081823), number(None)
    ('0.90818', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{value:.5g}"


def scored(trial: Ended) -> str:
    """Return a trial's score, with its spread over the folds."""
    return number(trial.value) + ("" if trial.spread is None else f" +/- {trial.spread:.2g}")


def counted(now: Snapshot) -> str:
    """Return how many trials are over, of how many."""
    if now.n_trials is not None:
        return f"{now.n_ended}/{now.n_trials} trials"
    return f"{now.n_ended} trials" if now.is_refitting else f"{now.n_ended} of {now.n_known} trials so far"


def progress_metrics(metrics: Mapping[str, float]) -> str:
    """Return two metrics of an epoch: the loss, and the one on validation data, or the next best."""
    shown = ["loss", "val_loss" if "val_loss" in metrics else next((name for name in metrics if name != "loss"), "")]
    return "  ".join(f"{printable(name)} {metrics[name]:.4g}" for name in shown if name in metrics)


def trial_line(trial: Ended, n_trials: int | None) -> str:
    """Return a line about a trial that has ended."""
    width = len(str(n_trials or ""))
    parts = [
        f"[{trial.count:>{width}}/{n_trials}]" if n_trials is not None else f"[{trial.count}]",
        trial_label(trial.number),
        f"FAILED {printable(trial.error or '')}".strip() if trial.status is RunStatus.FAILED else scored(trial),
        "known" if trial.seconds is None else f"{trial.seconds:.1f} s",
        *(["best so far"] if trial.is_best else []),
        short_params(trial.params),
    ]
    return "  ".join(parts)


def outcome(now: Snapshot, now_ms: int) -> str:
    """Return how many trials a study had, and how they went."""
    how = {
        "failed": now.n_failed,
        "known from an earlier start": now.n_replayed,
        "stopped": now.n_stopped,
    }
    told = [f"{n} {what}" for what, n in how.items() if n]
    if now.last_error is not None:
        told.append(f"the last failure: {printable(now.last_error)}")
    of = "" if now.n_trials in (None, now.n_ended) else f" of {now.n_trials}"
    return f"{now.n_ended}{of} trials in {clock(now.seconds(now_ms))}" + (f" ({', '.join(told)})" if told else "")


def where(now: Snapshot) -> Iterator[str]:
    """Yield how to look at a study: the one place that says so."""
    run = now.run
    yield f"Run         {run.run_id} ({printable(now.name)})"
    if not has_server(run.tracking_uri):
        yield f"Look at it  {ui_command(run.tracking_uri)}"
    yield f"Study       {run_link(run, run.run_id)}"
    yield f"Trials      {trials_link(run)}"


def conclusion(now: Snapshot, now_ms: int) -> Iterator[str]:
    """Yield what is said at a study's end, below the table of its best trials."""
    yield outcome(now, now_ms)
    if now.stopped is not None:
        yield f"Ended early {printable(now.stopped)}"
    if now.best is not None:
        params = ", ".join(f"{printable(name)}={short_value(value)}" for name, value in now.best.params.items())
        yield f"Best score  {now.best.value:.6g} ({trial_label(now.best.number)})"
        yield f"Best params {params}"
    if now.registered is not None:
        yield f"Registered  {printable(now.registered[0])} version {now.registered[1]}"
    yield from where(now)
