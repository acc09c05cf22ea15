"""Which trials' models are kept, and which go again."""

from __future__ import annotations

import heapq
import logging
import math
import tempfile
from pathlib import Path

from mlflow import MlflowClient

from mlflow_hpo.core.events import FittedModel, TrialEnded
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.models import (
    ModelNotSavableError,
    ModelTemplate,
    delete_logged_model,
    log_saved_model,
    save_estimator,
    unpack_model,
)

_logger = logging.getLogger(__name__)


class ModelKeeper:
    """Saves the models of ended trials; keeps those of the best ones only, where that is asked.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
    template : ModelTemplate
        What is the same for all models of the study.
    keep_best : int or None
        How many trials' models are kept; None keeps all.
    """

    def __init__(
        self, client: MlflowClient, experiment_id: str, template: ModelTemplate, keep_best: int | None = None
    ) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._template = template
        self._keep_best = keep_best
        self._kept: list[tuple[float, int, list[str]]] = []

    def keep(self, run_id: str, ended: TrialEnded) -> None:
        """Save an ended trial's models on its run, and delete those that fall out of the best."""
        if not ended.models or not self._is_among_best(ended.score):
            return
        model_ids = [model_id for model in ended.models if (model_id := self._save(run_id, model, ended))]
        self._remember(ended, model_ids)

    def _is_among_best(self, score: float | None) -> bool:
        if self._keep_best is None or len(self._kept) < self._keep_best:
            return True
        return _rank(score) > self._kept[0][0]

    def _remember(self, ended: TrialEnded, model_ids: list[str]) -> None:
        if self._keep_best is None:
            return
        # Of equal scores the earlier trial is the better one, as in scikit-learn's ranking.
        heapq.heappush(self._kept, (_rank(ended.score), -ended.trial, model_ids))
        if len(self._kept) > self._keep_best:
            for model_id in heapq.heappop(self._kept)[2]:
                delete_logged_model(self._client, model_id)

    def _save(self, run_id: str, model: FittedModel, ended: TrialEnded) -> str | None:
        with tempfile.TemporaryDirectory(prefix="mlflow_hpo-") as scratch:
            path = Path(scratch) / "model"
            try:
                self._write(model, path)
            except ModelNotSavableError as error:
                _logger.warning("The model of trial %d is not kept. %s", ended.trial, error)
                self._client.set_tag(run_id, f"{names.ERROR}.model", names.tag_value(error))
                return None
            name = "model" if model.fold is None or len(ended.models) == 1 else f"model-split{model.fold}"
            logged = log_saved_model(
                self._client,
                run_id,
                path,
                name=name,
                metrics={name: value for name, value in ended.metrics.items() if name.startswith("mean_test_")},
                experiment_id=self._experiment_id,
            )
            return logged.model_id

    def _write(self, model: FittedModel, path: Path) -> None:
        if model.blob is not None:
            unpack_model(model.blob, path)
        else:
            save_estimator(model.estimator, path, model.template or self._template)


def _rank(score: float | None) -> float:
    return -math.inf if score is None or math.isnan(score) else score
