"""What is known of a study when it begins: settings, space, versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.records import Logged
from mlflow_hpo.tracking.versions import installed_version

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
    n_trials : int or None
        How many trials there will be, where that is known.
    verbose : int
        How much the library prints by itself.
    parts : mapping of str to object
        What the results depend on besides the candidates, by the words for people.
    """

    strategy: str
    estimator: Any
    space: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    metric: str | None = None
    greater_is_better: bool = True
    n_trials: int | None = None
    verbose: int = 0
    parts: Mapping[str, Any] = field(default_factory=dict)

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


def plan_record(plan: StudyPlan) -> Logged:
    """Return what is written about a study when it begins: its settings, its space, the versions of what it uses.

    The prefixes keep them apart from the parameters that `mlflow run` has logged on the same run.
    """
    values: dict[str, Any] = {f"space.{name}": value for name, value in plan.space.items()}
    values |= {f"search.{name}": value for name, value in plan.settings.items()}
    values["search.strategy"] = plan.strategy
    if plan.estimator is not None:
        values["search.estimator"] = _kind(plan.estimator)
    return Logged(None, now_ms(), params=names.params(values), tags=_versions())


def _kind(estimator: Any) -> str:
    if estimator is None:
        return ""
    last_step = estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator
    return type(last_step).__name__


def _versions() -> dict[str, str]:
    return {f"version.{name}": version for name in _PACKAGES if (version := installed_version(name))}
