"""Delivering spools: a process of its own writes what studies have spooled into MLflow, off their hot path."""

from mlflow_hpo.tracking.delivery._courier import Courier, courier, patience
from mlflow_hpo.tracking.delivery._delivery import Delivery
from mlflow_hpo.tracking.delivery._errors import StoreAwayError
from mlflow_hpo.tracking.delivery._leftovers import Delivered, deliver_waiting
from mlflow_hpo.tracking.delivery._page import reports_are_on

__all__ = [
    "Courier",
    "Delivered",
    "Delivery",
    "StoreAwayError",
    "courier",
    "deliver_waiting",
    "patience",
    "reports_are_on",
]
