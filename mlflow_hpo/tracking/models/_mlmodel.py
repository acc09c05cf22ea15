"""The `MLmodel` file as plain data, read and written by libyaml where there is one, ten times as fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from mlflow.models.model import MLMODEL_FILE_NAME

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_mlmodel(directory: Path) -> dict[str, Any]:
    """Return the content of a model directory's `MLmodel`."""
    content: dict[str, Any] = yaml.load((directory / MLMODEL_FILE_NAME).read_text("utf-8"), Loader=_Loader)
    return content


def write_mlmodel(directory: Path, content: dict[str, Any]) -> None:
    """Write a model directory's `MLmodel`, as `mlflow.models.Model.save` would."""
    text = yaml.dump(content, Dumper=_Dumper, default_flow_style=False)
    (directory / MLMODEL_FILE_NAME).write_text(text, "utf-8")
