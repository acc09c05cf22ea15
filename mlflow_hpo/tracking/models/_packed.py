"""`PackedModel`: a fitted estimator taken out of the process that fitted it, in a few milliseconds.

What the process pays is a pickle and a copy of the networks' variables. All else that makes it an MLflow model, the
files and their formats, can be written by another process, at another time.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.tracking.models._errors import ModelNotSavableError
from mlflow_hpo.tracking.models._networks import PackedNetwork, pack_network
from mlflow_hpo.tracking.models._portable import Pickled, pickle_by_value
from mlflow_hpo.tracking.models._safe import SafeForm, safe_form
from mlflow_hpo.tracking.models._template import ModelTemplate

_SLOW_TO_IMPORT = frozenset({"scikeras", "keras", "tensorflow"})


@dataclass(frozen=True)
class PackedModel:
    """A fitted estimator as data.

    Parameters
    ----------
    kind : str
        Name of the estimator's class.
    estimator : bytes
        A pickle of it, Keras estimators replaced, that loads without the user's modules.
    safe : SafeForm or None
        The same in a format that runs no code; None leaves that to who writes the model.
    networks : tuple of PackedNetwork
        The networks in it.
    template : ModelTemplate
        Of the study.
    """

    kind: str
    estimator: bytes
    safe: SafeForm | None
    networks: tuple[PackedNetwork, ...]
    template: ModelTemplate

    def to_bytes(self) -> bytes:
        """Return the model as one piece, for a file or another process."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)

    @classmethod
    def from_bytes(cls, data: bytes) -> PackedModel:
        """Return the model that `to_bytes` made a piece of: only from a process or a folder of one's own."""
        model = pickle.loads(data)
        assert isinstance(model, cls)
        return model


def pack_estimator(estimator: Any, template: ModelTemplate) -> PackedModel:
    """Take a fitted estimator out of the process.

    Parameters
    ----------
    estimator : estimator
        Fitted; not changed.
    template : ModelTemplate
        Of the study.

    Raises
    ------
    ModelNotSavableError
        The estimator does not predict, or a part of it cannot be pickled.
    """
    kind = type(estimator).__name__
    if not hasattr(estimator, "predict"):
        raise ModelNotSavableError(f"{kind} has no predict, so there is no model to keep; set log_models='none'.")
    networks: list[PortableNetwork] = []
    try:
        pickled = pickle_by_value(estimator, networks)
        packed = tuple(pack_network(network) for network in networks)
    except Exception as error:
        raise ModelNotSavableError(f"{kind} cannot be kept as a model: {error}") from error
    return PackedModel(
        kind, pickled.blob, _safe_form(kind, pickled), packed, template.with_keras() if packed else template
    )


def _safe_form(kind: str, pickled: Pickled) -> SafeForm | None:
    """Return the safe form where it is known, or only this process can make it in a moment."""
    if pickled.travelling:
        return SafeForm(reason=f"skops: {kind} holds code of {', '.join(pickled.travelling)}")
    # The estimator's parts load with Keras alone, which is here already, and takes seconds to import elsewhere.
    roots = {module.partition(".")[0] for module in pickled.modules}
    return None if roots.isdisjoint(_SLOW_TO_IMPORT) else safe_form(pickled.blob)
