"""Taking fitted estimators out of the process that fitted them, in a few milliseconds, for `models` to write."""

from mlflow_hpo.tracking.packing._pack import pack_estimator
from mlflow_hpo.tracking.packing._template import template_of

__all__ = ["pack_estimator", "template_of"]
