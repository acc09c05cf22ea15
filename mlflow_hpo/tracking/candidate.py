"""`Candidate`: a model that is to be a version of a registered one: what is noted on the version, and what it beats."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from mlflow_hpo.tracking import names

MODEL_ID = "mlflow_hpo.model_id"
STUDY_RUN = "mlflow_hpo.study_run"
SCORE = "mlflow_hpo.score"
PARAMS = "mlflow_hpo.params"
_DESCRIPTION_LENGTH = 5000  # MLflow's databases; sqlite alone does not check it
_TAG_LENGTH = 5000
_CELL_LENGTH = 200


@dataclass(frozen=True)
class Candidate:
    """A model that competes for an alias.

    Parameters
    ----------
    model_id : str
        The logged model.
    study_run_id : str
        The run of the study that found it.
    params : mapping of str to object
        Its parameters.
    score : float
        With which it competes.
    metric : str
        What the score measures.
    greater_is_better : bool
        Direction of the metric.
    trial_key : str or None
        Of the trial that it comes from.
    """

    model_id: str
    study_run_id: str
    params: Mapping[str, Any]
    score: float
    metric: str
    greater_is_better: bool
    trial_key: str | None = None

    def tags(self) -> dict[str, str]:
        """Return what the version is tagged with."""
        return {
            MODEL_ID: self.model_id,
            STUDY_RUN: self.study_run_id,
            names.METRIC: self.metric,
            names.DIRECTION: str(self.greater_is_better),
            SCORE: repr(self.score),
            PARAMS: names.tag_value(json.dumps(self._texts())),
            **({names.TRIAL_KEY: self.trial_key} if self.trial_key is not None else {}),
        }

    def description(self, study: Run, text: str | None) -> str:
        """Return the version's description.

        Parameters
        ----------
        study : Run
            Of the study.
        text : str or None
            Markdown to put above it.
        """
        lines = [
            *([text, ""] if text else []),
            f"**{self.metric} = {self.score:.6g}**: the best of study *{study.info.run_name}* "
            f"(run `{study.info.run_id}`).",
        ]
        if params := self._texts():
            lines += ["", "| parameter | value |", "|---|---|"]
            lines += [f"| {_cell(key)} | {_cell(value)} |" for key, value in params.items()]
        return names.cut("\n".join(lines), _DESCRIPTION_LENGTH)

    def compare(self, holder: ModelVersion, alias: str) -> tuple[bool, str]:
        """Return whether the model beats the version that has the alias, and why: a sentence for people."""
        has = f"version {holder.version}, which is {alias!r}"
        metric, direction = holder.tags.get(names.METRIC), holder.tags.get(names.DIRECTION)
        if metric != self.metric or direction != str(self.greater_is_better):
            was = f"measured {metric!r}" if metric else "has no score"
            return False, f"Cannot compare {self.metric!r} with {has} and {was}; promote=True moves the alias anyway."
        best = _score_of(holder)
        if math.isnan(best) or (self.score > best if self.greater_is_better else self.score < best):
            return True, f"{self.metric} {self.score:.6g} beats {best:.6g} of {has}."
        return False, f"{self.metric} {self.score:.6g} does not beat {best:.6g} of {has}."

    def _texts(self) -> dict[str, str]:
        """Return the parameters as texts, each cut until all of them fit into a tag."""
        texts = {str(key): names.param_value(value) for key, value in self.params.items()}
        length, cut = _TAG_LENGTH, texts
        while len(json.dumps(cut)) > _TAG_LENGTH and length:
            cut = {key: names.cut(text, length) for key, text in texts.items()}
            length //= 2
        return cut


def _cell(text: str) -> str:
    return names.cut(text, _CELL_LENGTH).replace("|", "\\|")


def _score_of(version: ModelVersion) -> float:
    try:
        return float(version.tags.get(SCORE, "nan"))
    except ValueError:
        return math.nan
