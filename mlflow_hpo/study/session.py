"""A study from its opening to its end, whatever ends it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.core.events import RunStatus
from mlflow_hpo.core.reporting import Reporter, current_reporter
from mlflow_hpo.study.result import StudyResult
from mlflow_hpo.study.study import Study
from mlflow_hpo.tracking.keeper import ModelKeeper
from mlflow_hpo.tracking.models import ModelTemplate
from mlflow_hpo.tracking.opening import StudyPlan, log_data, log_plan
from mlflow_hpo.tracking.outcome import StudyOutcome, log_outcome, register_outcome
from mlflow_hpo.tracking.registry import check_names
from mlflow_hpo.tracking.runs import StudyRun, close_study_run, log_failure, open_study_run
from mlflow_hpo.tracking.store import connect
from mlflow_hpo.tracking.writer import Writer

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudySession:
    """A study that is open.

    Parameters
    ----------
    name : str
        What the study's run is called.
    study : Study
        Its trials.
    tracking : Tracking
        What the user asked for.
    template : ModelTemplate
        What is the same for all its models.
    """

    name: str
    study: Study
    tracking: Tracking
    template: ModelTemplate

    @property
    def refit_reporter(self) -> Reporter:
        """Takes the epochs of the best candidate's refit."""
        return Reporter(None, None, self.study.hear, run=lambda: (self.run.tracking_uri, self.run.run_id))

    @property
    def run(self) -> StudyRun:
        """Where the study is kept."""
        return self.study.run

    def conclude(self, outcome: StudyOutcome) -> StudyResult:
        """Keep what the study has found, and return where it is."""
        self.study.writer.flush()
        registered = None
        try:
            log_outcome(connect(self.run.tracking_uri), self.run, outcome, self.template)
            registered = register_outcome(self.run, self.tracking)
        except Exception:
            # What was searched for hours is not to be lost with the store.
            _logger.warning("What study %s has found could not be written to MLflow", self.run.run_id, exc_info=True)
        return StudyResult(self.name, self.run.run_id, self.run.experiment_id, self.run.tracking_uri, registered)


@contextmanager
def open_study(plan: StudyPlan, tracking: Tracking, template: ModelTemplate, X: Any, y: Any) -> Iterator[StudySession]:
    """Open a study, and end it with the context: FINISHED, FAILED by an exception, KILLED by an interrupt.

    Parameters
    ----------
    plan : StudyPlan
    tracking : Tracking
    template : ModelTemplate
    X, y : array-like or None
        The data, noted on the study's run.

    Raises
    ------
    InvalidArgumentError
        No model can be registered under the name that `tracking` gives.
    """
    if tracking.register_as is not None:
        check_names(tracking.register_as, tracking.alias)
    reporter = current_reporter()
    parent = reporter.run() if reporter is not None and reporter.run is not None else None
    name = tracking.study or plan.default_name
    run = open_study_run(name, {**plan.tags, **(tracking.tags or {})}, parent)
    client = connect(run.tracking_uri)
    writer = Writer(client, run, ModelKeeper(client, run.experiment_id, template, tracking.keep_best))
    study = Study(
        run,
        writer,
        log_models=tracking.log_models,
        metric=plan.metric,
        greater_is_better=plan.greater_is_better,
    )
    writer.put(partial(log_plan, client, run, plan))
    if X is not None:
        writer.put(partial(log_data, client, run, X, y))
    status = RunStatus.FINISHED
    try:
        yield StudySession(name, study, tracking, template)
    except BaseException as error:
        status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED
        writer.put(partial(log_failure, client, run, traceback.format_exc()))
        raise
    finally:
        study.abort(RunStatus.KILLED)
        writer.close()
        close_study_run(run, status)
