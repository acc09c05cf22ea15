"""What is known of a study when it begins, written on its run: settings, space, versions, data."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Param, RunTag

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.dataset import log_dataset
from mlflow_hpo.tracking.runs import StudyRun

_logger = logging.getLogger(__name__)
_PACKAGES = (
    "mlflow-hpo",
    "scikit-learn",
    "scikit-optimize",
    "scikeras",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "numpy",
)


@dataclass(frozen=True)
class StudyPlan:
    """What is known of a study before it begins.

    Parameters
    ----------
    strategy : str
        Which search it is, `GridSearchCV` say.
    estimator : estimator or None
        What is tuned; None for a bare objective.
    space : mapping of str to object
        The search space by parameter.
    settings : mapping of str to object
        All else that was set on the search.
    metric : str or None
        The trial metric to rank by; None where it shows with the first scores.
    greater_is_better : bool
        Direction of the metric.
    """

    strategy: str
    estimator: Any
    space: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    metric: str | None = None
    greater_is_better: bool = True

    @property
    def default_name(self) -> str:
        """What the study is called where nobody named it."""
        return " ".join(filter(None, [self.strategy, _kind(self.estimator)]))

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the study's run."""
        return {
            names.KIND: "study",
            names.STRATEGY: self.strategy,
            names.DIRECTION: str(self.greater_is_better),
            **({names.METRIC: self.metric} if self.metric else {}),
        }


def log_plan(client: MlflowClient, run: StudyRun, plan: StudyPlan) -> None:
    """Write the settings, the space and the versions of a study on its run.

    The prefixes keep them apart from the parameters that `mlflow run` has logged on the same run.
    """
    values: dict[str, Any] = {f"space.{name}": value for name, value in plan.space.items()}
    values |= {f"search.{name}": value for name, value in plan.settings.items()}
    values["search.strategy"] = plan.strategy
    if plan.estimator is not None:
        values["search.estimator"] = _kind(plan.estimator)
    params = [Param(names.key(name), names.param_value(value)) for name, value in values.items()]
    client.log_batch(run.run_id, params=params, tags=[RunTag(*version) for version in _versions().items()])


def log_data(client: MlflowClient, run: StudyRun, X: Any, y: Any) -> None:
    """Write which data a study was run on; data that MLflow cannot describe is passed over."""
    try:
        log_dataset(client, run.run_id, X, y)
    except Exception:
        _logger.debug("MLflow cannot describe the data of study %s", run.run_id, exc_info=True)


def _kind(estimator: Any) -> str:
    if estimator is None:
        return ""
    last_step = estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator
    return type(last_step).__name__


def _versions() -> dict[str, str]:
    return {f"version.{name}": version for name in _PACKAGES if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
