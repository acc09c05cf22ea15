"""`pack_estimator`: a fitted estimator as data.

What the process that fitted it pays is a pickle and a copy of the networks' variables, or, where the estimator is
nothing but a network, the copy alone.
"""

from __future__ import annotations

from typing import Any

from mlflow_hpo.core.portable import PortableNetwork
from mlflow_hpo.tracking.models import ModelNotSavableError, ModelTemplate, PackedModel, SafeForm, safe_form
from mlflow_hpo.tracking.packing._networks import pack_network
from mlflow_hpo.tracking.packing._portable import Pickled, pickle_by_value, plain_network
from mlflow_hpo.tracking.packing._template import with_keras

_SLOW_TO_IMPORT = frozenset({"scikeras", "keras", "tensorflow"})


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
    try:
        return _packed_network(estimator, template) or _packed_estimator(estimator, template)
    except Exception as error:
        raise ModelNotSavableError(f"{kind} cannot be kept as a model: {error}") from error


def _packed_network(estimator: Any, template: ModelTemplate) -> PackedModel | None:
    """Return the model of an estimator that is a network and plain labels; None where there is more to it."""
    plain = plain_network(estimator)
    if plain is None:
        return None
    portable, predictor = plain
    return PackedModel((pack_network(portable),), with_keras(template), predictor=predictor)


def _packed_estimator(estimator: Any, template: ModelTemplate) -> PackedModel:
    networks: list[PortableNetwork] = []
    pickled = pickle_by_value(estimator, networks)
    packed = tuple(pack_network(network) for network in networks)
    return PackedModel(
        packed,
        with_keras(template) if packed else template,
        estimator=pickled.blob,
        safe=_safe_form(type(estimator).__name__, pickled),
    )


def _safe_form(kind: str, pickled: Pickled) -> SafeForm | None:
    """Return the safe form where it is known, or only this process can make it in a moment."""
    if pickled.travelling:
        return SafeForm(reason=f"skops: {kind} holds code of {', '.join(pickled.travelling)}")
    # The estimator's parts load with Keras alone, which is here already, and takes seconds to import elsewhere.
    roots = {module.partition(".")[0] for module in pickled.modules}
    return None if roots.isdisjoint(_SLOW_TO_IMPORT) else safe_form(pickled.blob)
