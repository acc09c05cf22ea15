"""The page about one study."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._failures import failure_groups
from mlflow_hpo.report._figures import StudyPlots
from mlflow_hpo.report._importance import LEAST_TRIALS, METHOD
from mlflow_hpo.report._parameter_plots import importance_note, slices_note
from mlflow_hpo.report._read import read_data, read_versions
from mlflow_hpo.report._recipes import recipes
from mlflow_hpo.report._summary import choice_note, key_figures, rivals, spread_of
from mlflow_hpo.report._template import render
from mlflow_hpo.report._values import finite
from mlflow_hpo.tracking import links

_MOST_COLUMNS = 12
_SHOWN_ROWS = 10


@dataclass(frozen=True)
class OtherScore:
    """A metric that the study does not rank by.

    Parameters
    ----------
    name : str
    at_best : float or None
        What the best trial has.
    low, high : float
        The ends of what all trials have.
    low_trial, high_trial : TrialFacts
        Who has them.
    """

    name: str
    at_best: float | None
    low: float
    low_trial: TrialFacts
    high: float
    high_trial: TrialFacts


def study_page(study: StudyFacts, plots: StudyPlots) -> str:
    """Return the page about a study.

    Parameters
    ----------
    study : StudyFacts
    plots : StudyPlots
        Of the same study.
    """
    versions = read_versions(study)
    columns = _table_params(study, plots)
    others = other_scores(study)
    return render(
        "report.html.j2",
        study=study,
        plots=plots,
        figures=key_figures(study),
        choice=choice_note(study),
        versions=versions,
        recipes=recipes(study, versions),
        failures=failure_groups(study),
        method=METHOD,
        least_trials=LEAST_TRIALS,
        importance_note="" if plots.measured is None else importance_note(plots.measured),
        slices_note=slices_note(study, len(plots.axes)) if plots.slices else "",
        others=others,
        columns=columns[:_MOST_COLUMNS],
        left_out=len(columns[_MOST_COLUMNS:]),
        other_columns=[one.name for one in others][:4],
        shown_rows=_SHOWN_ROWS,
        spread=spread_of,
        rivals=rivals(study),
        data=read_data(study),
        settings=_prefixed(study, "search."),
        space=_prefixed(study, "space."),
        packages=[
            (name.removeprefix("version."), value)
            for name, value in sorted(study.tags.items())
            if name.startswith("version.")
        ],
        commit=study.tags.get("mlflow.source.git.commit"),
        links=links,
    )


def other_scores(study: StudyFacts) -> list[OtherScore]:
    """Return the other scores of a study with several scorings, with the ends of their ranges."""
    known = dict.fromkeys(
        key for trial in study.trials for key in trial.metrics if re.match(r"mean_(test|train)_", key)
    )
    found = []
    for name in known:
        values = [(value, trial) for trial in study.trials if (value := finite(trial.metrics.get(name))) is not None]
        if name != study.metric and values:
            (low, low_trial), (high, high_trial) = (choose(values, key=lambda pair: pair[0]) for choose in (min, max))
            at_best = study.best.metrics.get(name) if study.best is not None else None
            found.append(OtherScore(name, at_best, low, low_trial, high, high_trial))
    return found


def _table_params(study: StudyFacts, plots: StudyPlots) -> list[str]:
    """Return the parameters that have columns in the table of trials: those that differ, the most important first."""
    ranked = [axis.name for axis in plots.axes]
    differing = [name for name in _param_names(study) if len({trial.params.get(name) for trial in study.trials}) > 1]
    names = ranked + [name for name in differing if name not in ranked]
    return names or _param_names(study)


def _param_names(study: StudyFacts) -> list[str]:
    return list(dict.fromkeys(name for trial in study.trials for name in trial.params))


def _prefixed(study: StudyFacts, prefix: str) -> Sequence[tuple[str, str]]:
    return [(name.removeprefix(prefix), value) for name, value in study.params.items() if name.startswith(prefix)]
