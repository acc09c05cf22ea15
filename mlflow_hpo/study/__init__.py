"""One search in progress: its trials, the joblib backend on which its folds run, its opening and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow_hpo.study.result import StudyResult

__all__ = ["StudyResult"]


def __getattr__(name: str) -> Any:
    """Load the result's class, and pandas and MLflow with it, when it is asked for: worker processes never do."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mlflow_hpo.study.result import StudyResult

    return StudyResult
