"""The front doors: scikit-learn's and scikit-optimize's searches, tracked in MLflow."""

from mlflow_hpo.search._gp_minimize import gp_minimize
from mlflow_hpo.search._searches import (
    BayesSearchCV,
    GPSearchCV,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)

__all__ = [
    "BayesSearchCV",
    "GPSearchCV",
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    "gp_minimize",
]
