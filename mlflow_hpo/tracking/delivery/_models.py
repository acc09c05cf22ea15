"""From packed models in a spool to logged models of a run."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.read import model_ids
from mlflow_hpo.tracking.records import StoredModel
from mlflow_hpo.tracking.spool import Spool

_logger = logging.getLogger(__name__)


class ModelLogger:
    """Logs the models of a spool.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    spool : Spool
        Has the models.
    """

    def __init__(self, client: MlflowClient, spool: Spool) -> None:
        self._client = client
        self._spool = spool

    def log(self, run_id: str, model: StoredModel, *, is_careful: bool) -> str | None:
        """Store a model, and return its id; None where it cannot be saved, which its run is told.

        Parameters
        ----------
        run_id : str
            The run that made the model.
        model : StoredModel
        is_careful : bool
            Whether an interrupted attempt may have stored it.
        """
        if is_careful and (stored := self._existing(run_id, model.name)):
            return stored
        # Not before they are needed: trials are seen a second earlier, while all of scikit-learn is still imported.
        from mlflow_hpo.tracking.models import ModelNotSavableError, PackedModel, log_saved_model, save_packed

        with tempfile.TemporaryDirectory(prefix="mlflow_hpo-") as scratch:
            path = Path(scratch) / "model"
            try:
                save_packed(PackedModel.from_bytes(self._spool.read_model(model.file)), path)
            except ModelNotSavableError as error:
                _logger.warning("The model of run %s is not kept. %s", run_id, error)
                self._client.set_tag(run_id, f"{names.ERROR}.model", names.tag_value(error))
                return None
            experiment_id = self._spool.address.experiment_id
            return log_saved_model(
                self._client, run_id, path, name=model.name, params=model.params, experiment_id=experiment_id
            ).model_id

    def link(self, run_id: str, ids: Iterable[str], *, is_careful: bool) -> None:
        """Tell a run of its models, all at once."""
        known = model_ids(self._client.get_run(run_id)) if is_careful else []
        if outputs := [LoggedModelOutput(model_id, step=0) for model_id in ids if model_id not in known]:
            self._client.log_outputs(run_id, outputs)

    def _existing(self, run_id: str, name: str) -> str | None:
        """Return the model that an interrupted attempt has stored as a whole; what it has left in part is deleted.

        What the user's code has logged on the run is left alone.
        """
        from mlflow_hpo.tracking.models import delete_logged_model

        experiments = [self._spool.address.experiment_id]
        of_run = f"source_run_id = '{run_id}' AND name = '{name}'"
        found = self._client.search_logged_models(experiments, filter_string=of_run)
        ours = [model for model in found if model.tags.get(names.KIND) == "model"]
        for model in ours:
            if model.status == LoggedModelStatus.READY:
                return str(model.model_id)
            delete_logged_model(self._client, model.model_id)
        return None
