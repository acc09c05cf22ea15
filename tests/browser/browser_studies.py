"""Studies for the browser to look at: small, quick, and with curves as Keras networks have them."""

from __future__ import annotations

import threading

import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from mlflow_hpo import RandomizedSearchCV, Tracking

N_TRIALS, N_EPOCHS = 12, 6
SPACE = {"alpha": loguniform(1e-5, 10), "eta0": loguniform(1e-5, 1), "penalty": ["l1", "l2"]}
PARAMS = list(SPACE)


class Stepwise(SGDClassifier):
    """Reports an epoch after each pass over the data."""

    def fit(self, X, y):
        from mlflow_hpo.core.reporting import current_reporter  # a model keeps the code of its class

        reporter = current_reporter()
        fit = reporter.begin_fit(None)
        for epoch in range(N_EPOCHS):
            self.partial_fit(X, y, classes=np.unique(y))
            reporter.end_epoch(fit, epoch, {"loss": 1 - self.score(X, y), "accuracy": self.score(X, y)})
            self.after(epoch)
        return self

    def after(self, epoch):
        pass


class Held(Stepwise):
    """Waits in the middle of its first fit until it may go on."""

    reached, release = threading.Event(), threading.Event()

    def after(self, epoch):
        if epoch == N_EPOCHS // 2 - 1:
            self.reached.set()
            assert self.release.wait(120)


def search_digits(estimator_class, n_iter, *, refit=True, **tracking):
    X, y = load_digits(return_X_y=True)
    estimator = estimator_class(learning_rate="constant", eta0=0.01, random_state=0)
    search = RandomizedSearchCV(
        estimator, SPACE, n_iter=n_iter, cv=3, random_state=0, refit=refit, tracking=Tracking(**tracking)
    )
    return search.fit(X[:300] / 16, y[:300])
