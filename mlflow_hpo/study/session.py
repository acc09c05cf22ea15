"""A study from its opening to its end, whatever ends it."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.config import Tracking
from mlflow_hpo.core.events import RunStatus, StudyConcluded
from mlflow_hpo.core.reporting import Reporter, current_reporter
from mlflow_hpo.study.garbage import old_objects_left_alone
from mlflow_hpo.study.named_logs import named_logs
from mlflow_hpo.study.progress import shown_study
from mlflow_hpo.study.ranking import Ranking
from mlflow_hpo.study.result import StudyResult
from mlflow_hpo.study.resume import opened_run
from mlflow_hpo.study.stopping import StopRule
from mlflow_hpo.study.study import Study
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.dataset import data_record
from mlflow_hpo.tracking.delivery import StoreAwayError, courier, reports_are_on
from mlflow_hpo.tracking.models import ModelTemplate
from mlflow_hpo.tracking.opening import StudyPlan, plan_record
from mlflow_hpo.tracking.outcome import StudyOutcome, outcome_record
from mlflow_hpo.tracking.records import EarlierLeft, Logged
from mlflow_hpo.tracking.registry import check_names
from mlflow_hpo.tracking.runs import StudyRun, leave_study_run
from mlflow_hpo.tracking.writer import Writer, failure

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
        run = self.run
        return Reporter(
            None, None, self.study.hear, run=lambda: (run.tracking_uri, run.run_id), tags=run.tags_inside(None)
        )

    @property
    def run(self) -> StudyRun:
        """Where the study is kept."""
        return self.study.run

    def note_threads(self, n_threads: int | None) -> None:
        """Note on the study's run how many threads an operation uses: results depend on it in their last digits."""
        if n_threads is not None:
            self.study.writer.log(Logged(None, now_ms(), tags={names.THREADS: str(n_threads)}))

    def conclude(self, outcome: StudyOutcome) -> StudyResult:
        """Keep what the study has found, and return where it is."""
        writer, tracking = self.study.writer, self.tracking
        writer.log(outcome_record(outcome))
        if self.study.stopped is not None:
            _logger.info("%s ended early: %s.", self.name, self.study.stopped)
            writer.log(Logged(None, now_ms(), tags={names.STOPPED: self.study.stopped}))
        for left in self.study.replay.earlier.run_ids:
            if left != self.run.run_id:
                writer.log(EarlierLeft(left))
        registered = writer.conclude(outcome.estimator, outcome.params, tracking.register_as, tracking.alias)
        self.study.show(StudyConcluded(registered, self.study.stopped))
        run = self.run
        return StudyResult(
            self.name, run.run_id, run.experiment_id, run.tracking_uri, registered, stopped=self.study.stopped
        )


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
    StudyIsRunningError
        Another process runs the study of this name.
    """
    courier().start(needs_skops=template.needs_skops)
    if tracking.register_as is not None:
        check_names(tracking.register_as, tracking.alias)
    name = tracking.study or plan.default_name
    around = _run_around()
    with (
        old_objects_left_alone(),
        opened_run(name, plan, tracking, around) as (run, replay),
        shown_study(name, plan, run, tracking.progress) as show,
        named_logs(),
    ):
        writer = Writer(
            run, template, tracking.keep_best, report=tracking.report and around is None and reports_are_on()
        )
        study = Study(
            run,
            writer,
            log_models=tracking.log_models,
            ranking=Ranking(plan.metric, greater_is_better=plan.greater_is_better),
            replay=replay,
            stop=StopRule(tracking.max_seconds, tracking.patience),
            show=show,
        )
        writer.log(plan_record(plan))
        data = _note_data(writer, X, y)
        status = RunStatus.FINISHED
        try:
            yield StudySession(name, study, tracking, template)
        except BaseException as error:
            status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED
            if (summary := study.failures.summary) is not None:
                error.add_note(summary)
            writer.log(failure(None, traceback.format_exc()))
            raise
        else:
            if (summary := study.failures.summary) is not None:
                _logger.warning("%s", summary)
        finally:
            study.abort(RunStatus.KILLED)
            leave_study_run(run)
            data.join()
            writer.close(status)


def _run_around() -> tuple[str, str] | None:
    """Return tracking URI and id of the run of the trial that this study begins in, if it begins in one."""
    reporter = current_reporter()
    if reporter is None or reporter.run is None:
        return None
    try:
        return reporter.run()
    except StoreAwayError:
        return None


def _note_data(writer: Writer, X: Any, y: Any) -> threading.Thread:
    """Note the data on the study's run, beside the search: its digest takes a second a gigabyte."""

    def note() -> None:
        record = None if X is None else data_record(X, y)
        if record is not None:
            writer.log(record)

    thread = threading.Thread(target=note, name="mlflow-hpo-data", daemon=True)
    thread.start()
    return thread
