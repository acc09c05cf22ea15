"""What a project's environment asks for: this Python, and mlflow-hpo from where it was installed here."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_NAME = "mlflow-hpo"
_NOTE = "mlflow-hpo is named as it was installed where this project was made; change that if others cannot get it so."


@dataclass(frozen=True)
class Environment:
    """What a project's `conda.yaml` says.

    Parameters
    ----------
    python : str
        Version, as "3.11".
    requirement : str
        How pip gets mlflow-hpo: a line of a requirements file.
    note : str
        A comment about the requirement.
    """

    python: str
    requirement: str
    note: str = _NOTE

    @classmethod
    def here(cls) -> Environment:
        """Return what this process has."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", _requirement())


def _requirement() -> str:
    try:
        return requirement_of(metadata.distribution(_NAME))
    except metadata.PackageNotFoundError:  # the checkout is on the path, and not installed
        return f"-e {Path(__file__).parents[3].as_uri()}"


def requirement_of(installed: metadata.Distribution) -> str:
    """Return what pip would have to be asked for to install a distribution as it was installed here.

    Parameters
    ----------
    installed : Distribution
        As `importlib.metadata` finds it. Its `direct_url.json` (PEP 610) tells where it came from; without, it was an
        index.

    Returns
    -------
    str
        An editable install stays one, so that an environment which MLflow keeps never goes stale.
    """
    told = installed.read_text("direct_url.json")
    if told is None:
        return f"{_NAME}~={installed.version}"
    origin = json.loads(told)
    url = origin["url"]
    if origin.get("dir_info", {}).get("editable"):
        return f"-e {url}"
    if "vcs_info" in origin:
        url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    return f"{_NAME} @ {url}"
