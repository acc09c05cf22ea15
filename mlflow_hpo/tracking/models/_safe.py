"""The scikit-learn part of a model in the format that runs no code when it is loaded, where there is one."""

from __future__ import annotations

import functools
import pickle

from mlflow_hpo.tracking.models._packed import SafeForm
from mlflow_hpo.tracking.models._travelling import loader
from mlflow_hpo.tracking.skops_import import known_estimators, skops_io


# Around a network little else is fitted: most trials of a study differ in nothing but the network.
@functools.lru_cache(maxsize=32)
def safe_form(pickled: bytes) -> SafeForm:
    """Return the safe form of a pickled estimator.

    Parameters
    ----------
    pickled : bytes
        From this process, or from a folder of its owner's own.
    """
    skops = skops_io()
    try:
        data: bytes = skops.dumps(pickle.loads(pickled))
        skops.loads(data, trusted=[*loader.TRUSTED, *known_estimators()])
    except RecursionError:
        return SafeForm(reason="skops cannot hold objects that refer to each other in circles")
    except Exception as error:
        return SafeForm(reason=f"skops: {str(error).splitlines()[0]}")
    return SafeForm(data)
