"""Studies side by side: what each came to, as data for a table, and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.report._compare_plots import comparison_plots, study_color
from mlflow_hpo.report._facts import StudyFacts
from mlflow_hpo.report._read import read_study
from mlflow_hpo.report._summary import best_after, middle_score, spread_of, training_seconds
from mlflow_hpo.report._template import render
from mlflow_hpo.tracking import links

MOST_STUDIES = 7  # as many as the palette tells apart


@dataclass(frozen=True)
class ComparedStudy:
    """What a study came to.

    Parameters
    ----------
    study : StudyFacts
    label : str
        Its name, with the beginning of its run's id where another one is called the same.
    score, spread, median : float or None
        Of the best trial, its standard deviation over the folds, and the median of all trials.
    n_trials, n_failed : int
    seconds : float
        Wall time.
    fit_seconds : float or None
        What fits took together.
    best_after : float or None
        Seconds until the best trial had ended.
    is_best : bool
        Whether no other one of the comparison is better; only where all measure the same.
    """

    study: StudyFacts
    label: str
    score: float | None
    spread: float | None
    median: float | None
    n_trials: int
    n_failed: int
    seconds: float
    fit_seconds: float | None
    best_after: float | None
    is_best: bool


def compare_studies(run_ids: Sequence[str], tracking_uri: str | None = None) -> list[ComparedStudy]:
    """Return what studies came to, in the order given.

    Parameters
    ----------
    run_ids : sequence of str
        The studies' runs; two to seven.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Raises
    ------
    InvalidArgumentError
        They are too few or too many, or one is named twice.
    NotFoundError
        One of them is not the run of a study.
    """
    if not 2 <= len(run_ids) <= MOST_STUDIES:
        raise InvalidArgumentError(f"a comparison takes the runs of 2 to {MOST_STUDIES} studies; got {len(run_ids)}.")
    if twice := [run_id for run_id in dict.fromkeys(run_ids) if run_ids.count(run_id) > 1]:
        raise InvalidArgumentError(f"each study is compared once; got {twice[0]} twice.")
    studies = [read_study(run_id, tracking_uri) for run_id in run_ids]
    best = _best_of(studies)
    named = [study.name for study in studies]
    return [_compared(study, study is best, is_unique=named.count(study.name) == 1) for study in studies]


def compare_html(run_ids: Sequence[str], tracking_uri: str | None = None) -> str:
    """Return a page that compares studies: one HTML file that needs no other and no network.

    Parameters
    ----------
    run_ids : sequence of str
        The studies' runs; two to seven.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Raises
    ------
    InvalidArgumentError
        They are too few or too many, or one is named twice.
    NotFoundError
        One of them is not the run of a study.
    """
    return comparison_page(compare_studies(run_ids, tracking_uri))


def comparison_page(compared: Sequence[ComparedStudy]) -> str:
    """Return the page of a comparison.

    Parameters
    ----------
    compared : sequence of ComparedStudy
        What `compare_studies` returned.
    """
    studies = [one.study for one in compared]
    labels = [one.label for one in compared]
    params = dict.fromkeys(name for study in studies if study.best for name in study.best.params)
    return render(
        "compare.html.j2",
        compared=compared,
        colors=[f"var(--{study_color(index)})" for index in range(len(compared))],
        comparable=comparable(studies),
        plots=comparison_plots(studies, labels) if comparable(studies) else [],
        params=list(params),
        links=links,
    )


def comparable(studies: Sequence[StudyFacts]) -> bool:
    """Return whether all studies with a score rank by the same metric, in the same direction.

    Parameters
    ----------
    studies : sequence of StudyFacts
    """
    return len({(study.metric, study.greater_is_better) for study in studies if study.best is not None}) <= 1


def _best_of(studies: Sequence[StudyFacts]) -> StudyFacts | None:
    scored = [study for study in studies if study.best is not None and study.best.score is not None]
    if not scored or not comparable(studies):
        return None
    sign = 1.0 if scored[0].greater_is_better else -1.0
    return max(scored, key=lambda study: sign * (study.best.score or 0.0) if study.best is not None else 0.0)


def _compared(study: StudyFacts, is_best: bool, *, is_unique: bool) -> ComparedStudy:
    return ComparedStudy(
        study=study,
        label=study.name if is_unique else f"{study.name} ({study.run_id[:6]})",
        score=study.best.score if study.best is not None else None,
        spread=spread_of(study, study.best) if study.best is not None else None,
        median=middle_score(study),
        n_trials=len(study.trials),
        n_failed=len(study.failed),
        seconds=study.seconds,
        fit_seconds=training_seconds(study),
        best_after=best_after(study),
        is_best=is_best,
    )
