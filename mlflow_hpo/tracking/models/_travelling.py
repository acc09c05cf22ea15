"""The loader under the name it has inside a model's directory.

Objects that skops or pickle write are found again by their class's module. So whatever goes into a model must be an
instance of the class in the *travelling* package, not of the same source imported as a part of mlflow_hpo.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

_SOURCE = Path(__file__).with_name("_loader")
_SOURCES = {path.name: path.read_bytes() for path in sorted(_SOURCE.glob("*.py"))}
# Named by content: models of different versions of this package can be loaded into one process.
LOADER_MODULE = "mlflow_hpo_model_" + hashlib.sha256(b"".join(_SOURCES.values())).hexdigest()[:10]


@functools.cache
def archive() -> bytes:
    """Return the loader as a zip archive, which Python imports from: a server takes each file of a model by itself."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, source in _SOURCES.items():
            target.writestr(zipfile.ZipInfo(f"{LOADER_MODULE}/{name}"), source, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _import_as(name: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, _SOURCE / "__init__.py", submodule_search_locations=[str(_SOURCE)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from mlflow_hpo.tracking.models import _loader

    loader = _loader
else:
    loader = _import_as(LOADER_MODULE)
