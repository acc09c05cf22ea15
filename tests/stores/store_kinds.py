"""A store of these tests, and who uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient

EXPERIMENT = "Größe 网格"
ADMIN, ADMIN_PASSWORD = "admin", "admin-secret-1"
# Written in a URI, most of its letters are others.
USER, PASSWORD = "anna", "p@ss/w:rd #1"
READER, READER_PASSWORD = "reader", "reader-secret-1"


@dataclass
class Store:
    """A store that the contract is tried on.

    Parameters
    ----------
    uri : str
        What MLflow is told.
    folder : Path
        Spools and files of the tests.
    environment : dict of str to str
        What else the client needs.
    artifacts : str or None
        Where the experiment's artifacts are; None leaves it to the store.
    secrets : tuple of str
        What may be shown nowhere.
    s3 : tuple of (str, str) or None
        Address of the S3 store, and the folder in its bucket, where artifacts lie there.
    said : list of str
        What was logged, and printed by commands.
    """

    uri: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    artifacts: str | None = None
    secrets: tuple[str, ...] = ()
    s3: tuple[str, str] | None = None
    said: list[str] = field(default_factory=list)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    @property
    def experiment_id(self) -> str:
        return str(self.client.get_experiment_by_name(EXPERIMENT).experiment_id)
