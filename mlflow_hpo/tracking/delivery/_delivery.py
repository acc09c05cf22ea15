"""`Delivery`: applies the records of one spool to MLflow, in order, each once, whatever happens in between."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable
from functools import singledispatchmethod
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.events import RunStatus
from mlflow_hpo.core.redact import redacted
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.delivery._batches import Batches
from mlflow_hpo.tracking.delivery._errors import StoreAwayError, passes
from mlflow_hpo.tracking.delivery._keeper import ModelKeeper
from mlflow_hpo.tracking.delivery._models import ModelLogger
from mlflow_hpo.tracking.note import study_note
from mlflow_hpo.tracking.read import best_trial_of, children_of, model_ids
from mlflow_hpo.tracking.records import (
    BestNoted,
    Concluded,
    DataSeen,
    EarlierLeft,
    Logged,
    Record,
    StoredModel,
    StudyDone,
    TrialBegan,
    TrialDone,
    TrialMoved,
)
from mlflow_hpo.tracking.spool import Spool
from mlflow_hpo.tracking.view import delete_view, drop_old_views, write_view

_logger = logging.getLogger(__name__)
_RUNNING = "RUNNING"

# A store that takes other things, and fails at the same record for so long, will never take it.
_QUARREL_SECONDS = 300.0


class Delivery:
    """Delivers one spool.

    Parameters
    ----------
    spool : Spool
        Nobody else delivers it meanwhile.
    """

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.progress = spool.load_progress()
        self.position = self.progress.delivered
        self._address = spool.address
        self._client = MlflowClient(spool.address.tracking_uri, spool.address.registry_uri)
        self._batches = Batches(self._client, self._refuse)
        self._models = ModelLogger(self._client, spool)
        self._keeper = ModelKeeper(self._client, spool.address.keep_best, self.progress.kept)
        self._attempted_before = self.progress.attempted
        self._is_repeated = False
        self._failing_since: float | None = None
        self._has_view = False

    @property
    def is_caught_up(self) -> bool:
        """Whether the store has all that was spooled."""
        return self.progress.delivered >= self.spool.end

    def deliver(self) -> None:
        """Bring what is in the spool to the store.

        Raises
        ------
        StoreAwayError
            The store takes nothing at present; what is left can be delivered later, by this object or another.
        """
        end = self.spool.end
        try:
            if self.progress.attempted < end:
                self.progress.attempted = end
                self.spool.save_progress(self.progress)
            for record, record_end in self.spool.read(self.position):
                self._deliver(record)
                self.position = record_end
            self._batches.write()
            self.progress.delivered = self.position
            self.spool.save_progress(self.progress)
        except Exception as error:
            raise StoreAwayError(redacted(f"{self._address.tracking_uri}: {_first_line(error)}")) from error

    def abandon(self) -> None:
        """End what is open as KILLED: the process that ran the study is gone."""
        if not self.progress.is_done:
            for trial in list(self.progress.open_trials):
                self._apply(TrialDone(trial, RunStatus.KILLED.value, now_ms()))
            self._apply(StudyDone(RunStatus.KILLED.value, now_ms()))
            self.spool.save_progress(self.progress)

    def _deliver(self, record: Record) -> None:
        try:
            self._attempt(_describe(record), self._apply, record)
        except Exception:
            self._is_repeated = True
            self._failing_since = self._failing_since or time.monotonic()
            raise
        self._is_repeated, self._failing_since = False, None

    def _attempt(self, what: str, write: Callable[..., object], *args: Any, **options: Any) -> Any:
        """Write something; what the store refuses for good is passed over."""
        try:
            return write(*args, **options)
        except Exception as error:
            if passes(error) and not self._is_quarrel():
                raise
            self._refuse(what, error)
            return None

    def _is_quarrel(self) -> bool:
        """Whether the store takes other things, and has failed at this one for a long time."""
        if self._failing_since is None or time.monotonic() - self._failing_since < _QUARREL_SECONDS:
            return False
        try:
            self._client.set_tag(self._address.run_id, f"{names.ERROR}.probe", str(now_ms()))
        except Exception:
            return False
        return True

    def _refuse(self, what: str, error: Exception) -> None:
        detail = "".join(traceback.format_exception(error))
        _logger.warning("MLflow does not take %s: %s\n%s", what, *map(redacted, (_first_line(error), detail)))

    @property
    def _is_careful(self) -> bool:
        """Whether the record at hand may be in the store already, in part or as a whole."""
        return self._is_repeated or self.position < self._attempted_before

    @singledispatchmethod
    def _apply(self, record: Any) -> None:
        raise TypeError(f"No record: {record!r}")

    @_apply.register
    def _(self, record: TrialBegan) -> None:
        tags = {**self._address.trial_tags, **record.tags, names.TRIAL: str(record.trial)}
        run_id = record.run_id or self._existing_run(record.trial)
        if run_id is None:
            run = self._client.create_run(self._address.experiment_id, record.time_ms, tags, record.name)
            run_id = run.info.run_id
        elif record.run_id is not None:
            self._reopen(run_id, record.name)
            self._batches.resume(run_id)
            self._batches.add(run_id, Logged(record.trial, record.time_ms, tags=tags))
        self.progress.run_ids[str(record.trial)] = run_id
        if record.trial not in self.progress.open_trials:
            self.progress.open_trials.append(record.trial)
        self._batches.add(run_id, Logged(record.trial, record.time_ms, params=record.params))
        if not self._has_view:
            self._batches.write(self._address.run_id)
            study = self._client.get_run(self._address.run_id)
            self._attempt("the view of the trials", write_view, self._client, study, list(record.params))
            self._attempt("views of old studies", drop_old_views, self._client, self._address.experiment_id)
            self._has_view = True

    @_apply.register
    def _(self, record: Logged) -> None:
        run_id = self._run_of(record.trial)
        for path, text in record.texts.items():
            self._attempt(path, self._client.log_text, run_id, text, path)
        self._batches.add(run_id, record)

    @_apply.register
    def _(self, record: BestNoted) -> None:
        self._batches.add(self._address.run_id, Logged(None, 0, tags={names.BEST_TRIAL: self._run_of(record.trial)}))

    @_apply.register
    def _(self, record: DataSeen) -> None:
        tags = [InputTag(MLFLOW_DATASET_CONTEXT, "training")]
        self._client.log_inputs(self._address.run_id, [DatasetInput(dataset=Dataset(**record.dataset), tags=tags)])

    @_apply.register
    def _(self, record: TrialDone) -> None:
        run_id = self._run_of(record.trial)
        if record.models and self._keeper.wants(record.score):
            logged = self._log_models(run_id, record.models, f"a model of trial {record.trial}")
            for model_id, model in logged.items():
                self._batches.share(run_id, model_id, model.metrics, record.time_ms)
            self._keeper.remember(record.score, record.trial, list(logged))
        self._batches.write(run_id)
        self._client.set_terminated(run_id, record.status, record.time_ms)
        for model in record.models:
            self.spool.remove_model(model.file)
        if record.trial in self.progress.open_trials:
            self.progress.open_trials.remove(record.trial)

    @_apply.register
    def _(self, record: TrialMoved) -> None:
        self.progress.run_ids[str(record.trial)] = record.run_id
        tags = {names.PARENT_RUN_ID: self._address.run_id, names.TRIAL: str(record.trial)}
        self._batches.add(record.run_id, Logged(record.trial, record.time_ms, tags=tags))
        if self._address.keep_best is not None:
            kept = model_ids(self._client.get_run(record.run_id))
            self._keeper.remember(record.score, record.trial, kept)

    @_apply.register
    def _(self, record: EarlierLeft) -> None:
        self._batches.write()
        address = self._address
        if any(children_of(self._client, address.experiment_id, record.run_id)):
            return
        from mlflow_hpo.tracking.models import delete_logged_model

        for model_id in model_ids(self._client.get_run(record.run_id)):
            delete_logged_model(self._client, model_id)  # what is registered is kept
        self._client.delete_run(record.run_id)
        delete_view(self._client, address.experiment_id, record.run_id)

    @_apply.register
    def _(self, record: Concluded) -> None:
        run_id = self._address.run_id
        self._batches.write()
        if record.model is not None:
            self._log_models(run_id, [record.model], "the refitted model")
        if record.register_as is not None:
            from mlflow_hpo.tracking.outcome import register_outcome

            mlflow.set_tracking_uri(self._address.tracking_uri)  # MLflow looks a model's files up there
            self.progress.registered = register_outcome(self._client, run_id, record.register_as, record.alias)
        self._tell_of_best()
        if record.model is not None:
            self.spool.remove_model(record.model.file)

    @_apply.register
    def _(self, record: StudyDone) -> None:
        self._batches.write()
        self._client.set_terminated(self._address.run_id, record.status, record.time_ms)
        self.progress.is_done = True

    def _tell_of_best(self) -> None:
        """Write the note on the study's run, and the view of its trials now that their metrics are known."""
        uri = self._address.tracking_uri
        study = self._client.get_run(self._address.run_id)
        if names.BEST_TRIAL not in study.data.tags:
            return
        best = best_trial_of(study, self._client)
        kept = model_ids(study) or model_ids(self._client.get_run(best.run_id))
        model = "/".join(self.progress.registered or kept[-1:])
        note = study_note(study, best, uri, f"models:/{model}" if model else None)
        self._client.set_tag(study.info.run_id, names.NOTE, note)
        self._attempt("the view of the trials", write_view, self._client, study, list(best.params), best.metrics)

    def _reopen(self, run_id: str, name: str) -> None:
        """Let a trial of an earlier start run again, in its own run."""
        self._client.update_run(run_id, _RUNNING, name)
        for tag in {names.ERROR, names.NOTE, names.LOST} & set(self._client.get_run(run_id).data.tags):
            self._client.delete_tag(run_id, tag)

    def _run_of(self, trial: int | None) -> str:
        return self._address.run_id if trial is None else self.progress.run_ids[str(trial)]

    def _existing_run(self, trial: int) -> str | None:
        """Return the run that an interrupted attempt has made for a trial, if it has."""
        if not self._is_careful:
            return None
        found = children_of(self._client, self._address.experiment_id, self._address.run_id, trial=trial)
        return next((run.info.run_id for run in found), None)

    def _log_models(self, run_id: str, models: Iterable[StoredModel], what: str) -> dict[str, StoredModel]:
        """Log models of a run; return those that the store has taken, by id."""
        logged = {}
        for model in models:
            if model_id := self._attempt(what, self._models.log, run_id, model, is_careful=self._is_careful):
                logged[model_id] = model
        self._attempt(what, self._models.link, run_id, logged, is_careful=self._is_careful)
        return logged


def _describe(record: Record) -> str:
    trial = getattr(record, "trial", None)
    return f"{type(record).__name__} of {'the study' if trial is None else f'trial {trial}'}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
