"""What happens in a study, turned into records and spooled: the training thread pays for an append to a file.

A process of its own delivers the spool (`delivery/`), so that neither a store's slowness nor its absence reaches the
search.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import singledispatchmethod
from typing import Any

import mlflow
from mlflow.tracking.context import registry as context

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.events import (
    BestChanged,
    FittedModel,
    FoldEnded,
    RunStatus,
    StudyEvent,
    TrialEnded,
    TrialReplayed,
    TrialStarted,
)
from mlflow_hpo.core.redact import redacted
from mlflow_hpo.core.reporting import EpochEnded
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.delivery import StoreAwayError, courier, patience
from mlflow_hpo.tracking.models import ModelNotSavableError, ModelTemplate, PackedModel
from mlflow_hpo.tracking.packing import pack_estimator
from mlflow_hpo.tracking.records import (
    BestNoted,
    Concluded,
    Logged,
    Record,
    StoredModel,
    StudyDone,
    TrialBegan,
    TrialDone,
    TrialMoved,
)
from mlflow_hpo.tracking.runs import StudyRun
from mlflow_hpo.tracking.spool import Address, Spool

_logger = logging.getLogger(__name__)
_MODEL = "model"


class Writer:
    """Writes what happens in a study into its run and its trials' runs.

    Parameters
    ----------
    run : StudyRun
        The study's run.
    template : ModelTemplate
        What is the same for all models of the study.
    keep_best : int or None
        How many trials' models are kept; None keeps all.
    report : bool
        Whether a report is made of the study.
    """

    def __init__(
        self, run: StudyRun, template: ModelTemplate, keep_best: int | None = None, *, report: bool = False
    ) -> None:
        tags = {**context.resolve_tags(), names.PARENT_RUN_ID: run.run_id, names.KIND: "trial"}
        self._template = template
        self._run_ids: Mapping[str, str] = {}
        self._params: dict[int, Mapping[str, str]] = {}
        self._spool = Spool.create(
            Address(
                run.run_id,
                run.experiment_id,
                run.tracking_uri,
                mlflow.get_registry_uri(),
                trial_tags=tags,
                keep_best=keep_best,
                report=report,
                needs_skops=template.needs_skops,
            )
        )
        self._courier = courier()
        self._courier.open(self._spool)

    def put(self, event: StudyEvent) -> None:
        """Spool an event; from any thread."""
        self._spool_event(event)

    def log(self, record: Record) -> None:
        """Spool a record; from any thread."""
        self._spool.append(record)

    def trial_run_id(self, trial: int) -> str:
        """Return the run of a trial that has been started, waiting until it exists.

        Raises
        ------
        StoreAwayError
            The store makes no run at present.
        """
        if str(trial) not in self._run_ids:
            self._run_ids = self._courier.flush(self._spool)["run_ids"]
        return self._run_ids[str(trial)]

    def conclude(
        self, estimator: Any, params: Mapping[str, Any], register_as: str | None, alias: str
    ) -> tuple[str, str] | None:
        """Write the best model, and register it, which is waited for.

        Parameters
        ----------
        estimator : estimator or None
            The best candidate, refitted.
        params : mapping of str to object
            Its parameters.
        register_as : str or None
            Where the best model becomes a new version.
        alias : str
            Moves to it if it is better.

        Returns
        -------
        tuple of (str, str) or None
            Name and version of what was registered; None where nothing was, or where the store is away.
        """
        model = None
        if estimator is not None:
            model = self._store(FittedModel(None, estimator), _MODEL, "refitted model", names.params(params))
        self.log(Concluded(model, register_as, alias))
        if register_as is None:
            return None
        try:
            registered = self._courier.flush(self._spool)["registered"]
        except StoreAwayError:
            return None  # closing the writer will say so
        return None if registered is None else (registered[0], registered[1])

    def close(self, status: RunStatus) -> None:
        """End the study's run, and wait until the store has all of it, or has been away for too long."""
        self.log(StudyDone(status.value, now_ms()))
        self._spool.close(patience())
        try:
            self._courier.close(self._spool)
        except StoreAwayError as error:
            _logger.warning("%s", error)

    @singledispatchmethod
    def _spool_event(self, event: Any) -> None:
        raise TypeError(f"No event of a study: {event!r}")

    @_spool_event.register
    def _(self, event: TrialStarted) -> None:
        params = self._params[event.trial] = names.params(event.params)
        self.log(TrialBegan(event.trial, event.name, params, dict(event.tags), event.time_ms, event.run_id))

    @_spool_event.register
    def _(self, event: EpochEnded) -> None:
        prefix = _curve_prefix(event)
        metrics = {names.key(prefix + name): float(value) for name, value in event.metrics.items()}
        self.log(Logged(event.trial, event.time_ms, event.epoch, metrics=metrics))

    @_spool_event.register
    def _(self, event: FoldEnded) -> None:
        self.log(Logged(event.trial, event.time_ms, metrics=_metrics(event.metrics), tags=event.tags))

    @_spool_event.register
    def _(self, event: TrialEnded) -> None:
        error = _error(event.error) if event.error else {"tags": {}, "texts": {}}
        error["tags"] |= {name: names.tag_value(value) for name, value in event.tags.items()}
        metrics = _metrics(event.metrics)
        self.log(Logged(event.trial, event.time_ms, metrics=metrics, **error))
        params = self._params.pop(event.trial, {})
        shown = {name: value for name, value in metrics.items() if name.startswith("mean_test_")}
        what = f"model of trial {event.trial}"
        stored = [
            self._store(model, _model_name(model, len(event.models)), what, params, shown, event.trial)
            for model in event.models
        ]
        models = tuple(model for model in stored if model is not None)
        self.log(TrialDone(event.trial, event.status.value, event.time_ms, event.score, models))
        self._courier.hurry(self._spool)

    @_spool_event.register
    def _(self, event: TrialReplayed) -> None:
        self.log(TrialMoved(event.trial, event.run_id, event.time_ms, event.score))

    @_spool_event.register
    def _(self, event: BestChanged) -> None:
        params = ", ".join(f"{name}={names.param_value(value)}" for name, value in event.params.items())
        metrics = {names.key(f"best_{event.metric}"): float(event.value)}
        tags = {names.METRIC: event.metric, names.BEST_PARAMS: names.tag_value(params)}
        self.log(Logged(None, event.time_ms, event.trial, metrics=metrics, tags=tags))
        self.log(BestNoted(event.trial))

    def _store(
        self,
        model: FittedModel,
        name: str,
        what: str,
        params: Mapping[str, str],
        metrics: Mapping[str, float] | None = None,
        trial: int | None = None,
    ) -> StoredModel | None:
        try:
            packed: PackedModel = model.packed or pack_estimator(model.estimator, model.template or self._template)
        except ModelNotSavableError as error:
            _logger.warning("The %s is not kept. %s", what, error)
            self.log(Logged(trial, now_ms(), tags={f"{names.ERROR}.model": names.tag_value(error)}))
            return None
        try:
            return StoredModel(self._spool.add_model(packed.to_bytes()), name, params, metrics or {})
        except OSError as error:
            _logger.warning("The %s is not kept: %s.", what, error.strerror)
            return None


def failure(trial: int | None, traceback: str) -> Logged:
    """Return what is written about the exception that has ended a study, or a trial."""
    return Logged(trial, now_ms(), **_error(traceback))


def _error(traceback: str) -> dict[str, Any]:
    traceback = names.storable(redacted(traceback))
    last_line = traceback.strip().splitlines()[-1]
    note = f"**Failed:** `{last_line}`\n\n```\n{traceback[-6000:]}\n```"
    return {
        "tags": {names.ERROR: names.tag_value(last_line), names.NOTE: names.tag_value(note)},
        "texts": {"traceback.txt": traceback},
    }


def _metrics(values: Mapping[str, float]) -> dict[str, float]:
    return {names.key(name): float(value) for name, value in values.items()}


def _model_name(model: FittedModel, n_models: int) -> str:
    return _MODEL if model.fold is None or n_models == 1 else f"{_MODEL}-split{model.fold}"


def _curve_prefix(event: EpochEnded) -> str:
    split = "" if event.fold is None else f"split{event.fold}/"
    place = "refit/" if event.trial is None else split
    return place + (f"fit{event.fit}/" if event.fit else "")
