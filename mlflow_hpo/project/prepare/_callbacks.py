"""From a study file's `callbacks` section to Keras callbacks."""

from __future__ import annotations

from typing import Any

from mlflow_hpo.project.prepare._modules import load_function
from mlflow_hpo.project.prepare._user_code import called, named_function
from mlflow_hpo.project.study_file import StudyFile
from mlflow_hpo.project.study_file.schema import CallbacksSection

# Named as a user's own would be, since Keras itself is the keras room's to import.
_KNOWN = {
    "early_stopping": "keras.callbacks:EarlyStopping",
    "reduce_lr_on_plateau": "keras.callbacks:ReduceLROnPlateau",
}


def build_callbacks(study: StudyFile, section: CallbacksSection) -> list[Any]:
    """Return a new callback for each that the section names; every fit copies them.

    Raises
    ------
    StudyFileError
        A function of the user's is not there, fails, or returns no callback.
    """
    callbacks = []
    for key, reference in _KNOWN.items():
        arguments = getattr(section, key)
        if arguments is not None:
            callbacks.append(load_function(reference, study.folder)(**arguments.model_dump()))
    for index, reference in enumerate(section.custom or []):
        callbacks.append(_custom(study, ("fit", "callbacks", "custom", index), reference))
    return callbacks


def _custom(study: StudyFile, path: tuple[str | int, ...], reference: str) -> Any:
    callback = called(study, path, reference, named_function(study, path, reference))
    if not hasattr(callback, "on_epoch_end"):
        raise study.error(path, f"{reference} returns a Keras callback; got {type(callback).__name__}.")
    return callback
