"""The Keras callback that tells the study around a fit how its epochs go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from mlflow_hpo.core.reporting import Reporter


class ReportEpochs(keras.callbacks.Callback):
    """Report the begin of a fit and the end of each of its epochs.

    Parameters
    ----------
    reporter : Reporter
        Where the epochs go.
    """

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter
        self._fit = -1

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Get the fit's number within its fold."""
        self._fit = self._reporter.begin_fit(self.model)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Pass the epoch's metrics on."""
        self._reporter.end_epoch(self._fit, epoch, dict(logs or {}))
