"""The surrogate of long studies: scikit-optimize's Gaussian process at a fraction of its cost."""

from mlflow_hpo.search.gp._default import FAST_GP, fast_gp, with_fast_gp
from mlflow_hpo.search.gp._memory import FitMemory
from mlflow_hpo.search.gp._proposer import Proposer
from mlflow_hpo.search.gp._regressor import FastGaussianProcessRegressor

__all__ = ["FAST_GP", "FastGaussianProcessRegressor", "FitMemory", "Proposer", "fast_gp", "with_fast_gp"]
