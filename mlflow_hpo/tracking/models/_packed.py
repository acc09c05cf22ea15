"""A fitted estimator taken out of the process that fitted it, as data that any process can write as an MLflow model."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_hpo.core.portable import NetworkArchive
from mlflow_hpo.tracking.models._template import ModelTemplate


@dataclass(frozen=True)
class SafeForm:
    """An estimator in skops's format, or why it has to stay a pickle.

    Parameters
    ----------
    data : bytes or None
    reason : str or None
    """

    data: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True)
class PackedNetwork:
    """A network out of the process that trained it.

    Parameters
    ----------
    content : NetworkArchive or bytes
        What its file holds, or the file itself where nothing but the network's own `save` could make it.
    parts : bytes or None
        A pickle of the user's own classes and functions in it.
    reason : str or None
        Why there are such parts.
    """

    content: NetworkArchive | bytes
    parts: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True)
class PackedModel:
    """A fitted estimator as data: a network and what it is called by, or a pickle.

    Parameters
    ----------
    networks : tuple of PackedNetwork
        The networks in it.
    template : ModelTemplate
        Of the study.
    predictor : mapping or None
        The estimator as plain data, where it is nothing but a network and labels.
    estimator : bytes or None
        Otherwise a pickle of it, Keras estimators replaced, that loads without the user's modules.
    safe : SafeForm or None
        The same in a format that runs no code; None leaves that to who writes the model.
    """

    networks: tuple[PackedNetwork, ...]
    template: ModelTemplate
    predictor: Mapping[str, Any] | None = None
    estimator: bytes | None = None
    safe: SafeForm | None = None

    def to_bytes(self) -> bytes:
        """Return the model as one piece, for a file or another process."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)

    @classmethod
    def from_bytes(cls, data: bytes) -> PackedModel:
        """Return the model that `to_bytes` made a piece of: only from a process or a folder of one's own."""
        model = pickle.loads(data)
        assert isinstance(model, cls)
        return model
