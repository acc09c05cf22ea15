"""The stores: a sqlite file, a server on sqlite, a server on PostgreSQL with users and S3; one server each."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import mlflow
import pytest
import requests
import store_servers as servers
from process_state import INHERITED, forget
from serving import MLflowServer
from store_kinds import ADMIN, ADMIN_PASSWORD, EXPERIMENT, PASSWORD, READER, READER_PASSWORD, USER, Store

_CLEAN = (
    *(*INHERITED, "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
    *("MLFLOW_S3_ENDPOINT_URL", *servers.S3_ACCESS),
)


@dataclass(frozen=True)
class _Postgres:
    """The server on PostgreSQL."""

    server: MLflowServer
    s3_url: str


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    server = MLflowServer(tmp_path_factory.mktemp("served"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Postgres | None]:
    programs = servers.postgres_programs()
    if programs is None:
        yield None
        return
    folder = tmp_path_factory.mktemp("postgres")
    with servers.postgres(programs, "database-secret-1") as database, servers.s3(folder) as s3_url:
        users = folder / "auth.ini"
        users.write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\n"
            f"admin_username = {ADMIN}\nadmin_password = {ADMIN_PASSWORD}\n"
            "auth_cache_ttl_seconds = 60\n"  # else each request costs the server a tenth of a second for the password
        )
        environment = servers.S3_ACCESS | {
            "MLFLOW_S3_ENDPOINT_URL": s3_url,
            "MLFLOW_AUTH_CONFIG_PATH": str(users),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "server-secret-1",
        }
        server = MLflowServer(
            folder,
            store=database,
            artifacts=f"s3://{servers.BUCKET}/proxied",
            options=["--app-name", "basic-auth"],
            environment=environment,
        )
        server.start()
        yield _Postgres(server, s3_url)
        server.kill()


def _sqlite(folder: Path, request: pytest.FixtureRequest) -> Store:
    return Store(f"sqlite:///{folder}/mlflow.db", folder, artifacts=(folder / "artifacts").as_uri())


def _server(folder: Path, request: pytest.FixtureRequest) -> Store:
    server: MLflowServer = request.getfixturevalue("_served")
    server.wait()
    return Store(server.uri, folder)


def _postgres_proxied(folder: Path, request: pytest.FixtureRequest) -> Store:
    """Artifacts go through the server, and the URI says who asks."""
    postgres = _postgres_server(request)
    address = urlsplit(postgres.server.uri).netloc
    return Store(
        f"http://{USER}:{quote(PASSWORD, safe='')}@{address}",
        folder,
        secrets=(PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD)),
        s3=(postgres.s3_url, "proxied"),
    )


def _postgres_direct(folder: Path, request: pytest.FixtureRequest) -> Store:
    """The client itself writes artifacts to S3, and the environment says who asks."""
    postgres = _postgres_server(request)
    access = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    return Store(
        postgres.server.uri,
        folder,
        environment=access | servers.S3_ACCESS | {"MLFLOW_S3_ENDPOINT_URL": postgres.s3_url},
        artifacts=f"s3://{servers.BUCKET}/direct/experiment",
        secrets=(PASSWORD, servers.S3_ACCESS["AWS_SECRET_ACCESS_KEY"]),
        s3=(postgres.s3_url, "direct"),
    )


def _postgres_server(request: pytest.FixtureRequest) -> _Postgres:
    postgres: _Postgres | None = request.getfixturevalue("_postgres")
    if postgres is None:
        missing = "no PostgreSQL is installed here (Debian: apt-get install postgresql)"
        pytest.fail(missing) if os.environ.get("MLFLOW_HPO_POSTGRES") == "required" else pytest.skip(missing)
    postgres.server.wait()
    for user, password in [(USER, PASSWORD), (READER, READER_PASSWORD)]:
        requests.post(
            f"{postgres.server.uri}/api/2.0/mlflow/users/create",
            json={"username": user, "password": password},
            auth=(ADMIN, ADMIN_PASSWORD),
            timeout=30,
        )  # refused the second time: there is one server for two stores
    return postgres


_STORES: dict[str, Callable[[Path, pytest.FixtureRequest], Store]] = {
    "sqlite": _sqlite,
    "server": _server,
    "postgres-s3": _postgres_proxied,
    "postgres-s3-direct": _postgres_direct,
}


@pytest.fixture(scope="module", params=_STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """MLflow set up on one of the stores, with an experiment of its own."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in _CLEAN:
            patch.delenv(name, raising=False)
        # They come up while the first store is tried.
        for server in ("_postgres", "_served"):
            request.getfixturevalue(server)
        folder = tmp_path_factory.mktemp(request.param)
        store = _STORES[request.param](folder, request)
        for name, value in store.environment.items():
            patch.setenv(name, value)
        patch.setenv("MLFLOW_HPO_SPOOL", str(folder / "spool"))
        patch.setenv("MLFLOW_HPO_REPORT", "false")  # one study has one
        mlflow.set_tracking_uri(None)  # set in the process, it would win over the variable, which this takes away
        patch.setenv("MLFLOW_TRACKING_URI", store.uri)
        patch.chdir(folder)
        if (experiment := store.client.get_experiment_by_name(EXPERIMENT)) is not None:
            store.client.rename_experiment(experiment.experiment_id, f"{EXPERIMENT} before")
        store.client.create_experiment(EXPERIMENT, artifact_location=store.artifacts)
        mlflow.set_experiment(EXPERIMENT)
        stack.callback(forget)
        stack.enter_context(_Heard(store.said))
        yield store


class _Heard(logging.Handler):
    """Hears all that is logged while the context is open."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(logging.Formatter().format(record))

    def __enter__(self) -> _Heard:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        logging.getLogger().removeHandler(self)


@pytest.fixture
def command(store: Store, command: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line, as everywhere; what it said is kept, too."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = command(*arguments)
        store.said += [out, err]
        return code, out, err

    return run
