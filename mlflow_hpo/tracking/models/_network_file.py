"""A network's native file, written without the network's library."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

from mlflow_hpo.core.portable import NetworkArchive, Variables
from mlflow_hpo.tracking.models._travelling import loader

_METADATA = "metadata.json"
_WEIGHTS = "model.weights.h5"


def write_archive(archive: NetworkArchive, file: Path) -> None:
    """Write what was taken out of a network as the file that its own `save` would have written.

    Parameters
    ----------
    archive : NetworkArchive
    file : Path
        Ends in `.keras`.
    """
    weights = io.BytesIO()
    _write_weights(archive.variables, weights)
    with zipfile.ZipFile(file, "w") as target:
        target.writestr(_METADATA, json.dumps(archive.metadata))
        target.writestr(loader.CONFIG, json.dumps(archive.config))
        target.writestr(_WEIGHTS, weights.getvalue())


def _write_weights(variables: tuple[Variables, ...], file: io.BytesIO) -> None:
    import h5py  # type: ignore[import-untyped]  # comes with Keras: models without a network need neither

    with h5py.File(file, "w") as store:
        for part in variables:
            group = store.create_group(f"{part.path}/vars" if part.path else "vars")
            if part.name is not None:
                group.attrs["name"] = part.name
            for key, values in part.arrays.items():
                dataset = group.create_dataset(key, data=values)
                if values.dtype.name == "bfloat16":  # HDF5 has no such type; Keras reads it off here
                    dataset.attrs["dtype"] = "bfloat16"
