"""`ModelTemplate`: what all models of one study have in common."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import yaml
from mlflow.models import ModelSignature
from mlflow.utils.environment import _mlflow_conda_env, _PythonEnv


@dataclass(frozen=True)
class ModelTemplate:
    """What is the same for all models of a study; small, and picklable for worker processes.

    Parameters
    ----------
    inputs : dict
        The training data's types, as the loader's `InputSpec` writes them.
    signature : dict
        MLflow's signature as plain data.
    requirements : tuple of str
        Pinned pip requirements.
    needs_skops : bool
        Whether its models may be more than networks with plain labels.
    """

    inputs: dict[str, Any]
    signature: dict[str, Any]
    requirements: tuple[str, ...]
    needs_skops: bool = True

    def model_signature(self) -> ModelSignature:
        """Return MLflow's own object."""
        signature: ModelSignature = ModelSignature.from_dict(self.signature)
        return signature


@functools.cache
def environment_files(requirements: tuple[str, ...]) -> dict[str, str]:
    """Return the texts of the three files in which a model tells its environment."""
    conda = _mlflow_conda_env(additional_pip_deps=list(requirements), install_mlflow=False)  # type: ignore[no-untyped-call]
    python = _PythonEnv.current().to_dict()  # type: ignore[no-untyped-call]
    return {
        "requirements.txt": "\n".join(requirements) + "\n",
        "conda.yaml": yaml.safe_dump(conda, sort_keys=False),
        "python_env.yaml": yaml.safe_dump({key: value for key, value in python.items() if value}, sort_keys=False),
    }
