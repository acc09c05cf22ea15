"""What a study came to, in a few figures and sentences: the top of the report, and a row of a comparison."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._trial_plots import fold_scores
from mlflow_hpo.report._values import show_number, show_seconds


@dataclass(frozen=True)
class KeyFigure:
    """A number at the top of the page.

    Parameters
    ----------
    label, value, detail : str
    is_bad : bool
        Whether it is to be looked at first.
    """

    label: str
    value: str
    detail: str = ""
    is_bad: bool = False


def key_figures(study: StudyFacts) -> list[KeyFigure]:
    """Return the figures at the top of a study's page."""
    figures = [_best_figure(study), _gain_figure(study), _trials_figure(study), _time_figure(study)]
    return [figure for figure in figures if figure is not None]


def spread_of(study: StudyFacts, trial: TrialFacts) -> float | None:
    """Return the standard deviation of a trial's score over its folds, where it has folds."""
    metric = study.metric or ""
    return trial.metrics.get(f"std_{metric.removeprefix('mean_')}") if metric.startswith("mean_") else None


def training_seconds(study: StudyFacts) -> float | None:
    """Return the time that fits took, all folds of all trials together; None where it was not measured."""
    measured = [
        trial.metrics["mean_fit_time"] * max(1, len(fold_scores(study, trial)))
        for trial in study.trials
        if not math.isnan(trial.metrics.get("mean_fit_time", math.nan))
    ]
    return sum(measured) if measured else None


def best_after(study: StudyFacts) -> float | None:
    """Return the seconds after which the best trial had ended."""
    if study.best is None or study.best.end_ms is None:
        return None
    return max(0, study.best.end_ms - study.start_ms) / 1000


def middle_score(study: StudyFacts) -> float | None:
    """Return the median of all scores."""
    scores = [trial.score for trial in study.scored if trial.score is not None]
    return statistics.median(scores) if scores else None


def rivals(study: StudyFacts) -> int | None:
    """Return how many other trials lie within one standard deviation of the best; None where that is not known."""
    best = study.best
    spread = spread_of(study, best) if best is not None else None
    if best is None or best.score is None or spread is None or not math.isfinite(spread):
        return None
    near = [trial for trial in study.scored if abs((trial.score or 0.0) - best.score) <= spread]
    return len([trial for trial in near if trial is not best])


def choice_note(study: StudyFacts) -> str:
    """Return why the best trial is not the one with the best score, where that is so."""
    if study.best is None or study.best.score is None:
        return ""
    better = sum(study.beats(trial.score, study.best.score) for trial in study.scored if trial.score is not None)
    if not better:
        return ""
    have = "1 trial has" if better == 1 else f"{better} trials have"
    return (
        f"The search itself chose this trial; {have} a better {study.metric}. Successive halving compares the trials "
        "of its last round only, and a refit rule of your own decides by itself."
    )


def _best_figure(study: StudyFacts) -> KeyFigure:
    if study.best is None:
        return KeyFigure("Best score", "none", "no trial has a score")
    spread, folds = spread_of(study, study.best), len(fold_scores(study, study.best))
    over = f"± {show_number(spread, 2)} over {folds} folds" if spread is not None and folds > 1 else ""
    direction = "higher is better" if study.greater_is_better else "lower is better"
    return KeyFigure(
        f"Best {study.metric}", show_number(study.best.score, 5), " · ".join(filter(None, [over, direction]))
    )


def _gain_figure(study: StudyFacts) -> KeyFigure | None:
    after = best_after(study)
    if study.best is None or after is None or len(study.trials) < 2:
        return None
    middle = middle_score(study)
    typical = f" · median trial {show_number(middle)}" if middle is not None and len(study.scored) > 2 else ""
    return KeyFigure("Found in", f"trial {study.best.number}", f"after {show_seconds(after)}{typical}")


def _trials_figure(study: StudyFacts) -> KeyFigure:
    counts = {
        "failed": sum(trial.status == "FAILED" for trial in study.trials),
        "interrupted": sum(trial.status == "KILLED" for trial in study.trials),
        "running": sum(trial.status == "RUNNING" for trial in study.trials),
        "without a score": sum(trial.status == "FINISHED" and trial.score is None for trial in study.trials),
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    bad = counts["failed"] > 0
    return KeyFigure("Trials", f"{len(study.trials):,}", " · ".join(said) or "all finished", bad)


def _time_figure(study: StudyFacts) -> KeyFigure:
    fits = training_seconds(study)
    label = "Running for" if study.is_running else "Wall time"
    return KeyFigure(
        label, show_seconds(study.seconds), "" if fits is None else f"fits took {show_seconds(fits)} together"
    )
