"""One search in progress: its trials, the joblib backend on which its folds run, its opening and its end."""

from mlflow_hpo.study.result import StudyResult

__all__ = ["StudyResult"]
