"""What a search hands out about its study after `fit`: where it is in MLflow, and how to read it back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from mlflow_hpo.study._result_html import result_html
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.read import TrialRecord, best_trial, read_study_run, read_trial_records, read_trials


@dataclass(frozen=True)
class StudyResult:
    """A study that has ended.

    Parameters
    ----------
    name : str
        What the study's run is called.
    run_id, experiment_id : str
        MLflow's ids of the study's run.
    tracking_uri : str
        The store that has it.
    registered : tuple of (str, str) or None
        Name and version under which the best model was registered.
    stopped : str or None
        Why the study ended before all its candidates were run; None where it did not.
    """

    name: str
    run_id: str
    experiment_id: str
    tracking_uri: str = field(repr=False)  # it may hold a password
    registered: tuple[str, str] | None = None
    stopped: str | None = None

    @property
    def trials(self) -> pd.DataFrame:
        """The trials as MLflow has them, one row each, with number, status, score, params, metrics and run id."""
        return read_trials(self.run_id, self.tracking_uri)

    @property
    def best_trial(self) -> TrialRecord:
        """The trial with the best score."""
        return best_trial(self.run_id, self.tracking_uri)

    def _repr_html_(self) -> str:
        """Return the best trials with links to their runs, for notebooks."""
        tags = read_study_run(self.run_id, self.tracking_uri).data.tags
        sign = 1.0 if tags.get(names.DIRECTION) == "True" else -1.0
        metric = tags.get(names.METRIC, "")

        def place(trial: TrialRecord) -> float:
            return math.inf if trial.score is None or math.isnan(trial.score) else -sign * trial.score

        best_first = sorted(read_trial_records(self.run_id, self.tracking_uri), key=place)
        return result_html(self, best_first, f"std_{metric.removeprefix('mean_')}")
