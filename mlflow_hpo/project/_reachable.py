"""Seeing that a tracking store answers, in seconds: MLflow itself would try for minutes."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mlflow_hpo.core.errors import InvalidArgumentError, brief, did_you_mean
from mlflow_hpo.core.redact import redacted, without_credentials

SERVER_PORTS = {"http": 80, "https": 443}

_SECONDS = 5
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_HOSTED = {"databricks", "databricks-uc", "uc"}
_SQLITE_MAGIC = b"SQLite format 3\x00"
_IMPATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_SECONDS)}


@contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow ask a server once, and wait for it for seconds, while the context is open."""
    before = {name: os.environ.get(name) for name in _IMPATIENCE}
    os.environ.update(_IMPATIENCE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def check_reachable(uri: str) -> None:
    """Refuse a tracking URI that MLflow does not know, or whose server or file is not there.

    Parameters
    ----------
    uri : str
        Empty is MLflow's own default.

    Raises
    ------
    InvalidArgumentError
        It is no tracking URI, nobody answers there, or the file cannot be a database.
    """
    if not uri:
        return
    parts = _split(uri)
    kind = parts.scheme.partition("+")[0]
    if kind == "sqlite":
        _check_file(uri)
    elif kind in SERVER_PORTS:
        _check_server(uri, parts)
    elif kind in _DATABASE_PORTS:
        _check_port(uri, parts, _DATABASE_PORTS[kind])
        _check_database(uri)
    elif kind in {"", "file"} and uri not in _HOSTED:
        _check_folder(uri)
    elif kind and kind not in _HOSTED:
        _check_plugin(uri, kind)


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        # Its message quotes the URI's parts, the password perhaps among them.
        raise InvalidArgumentError(
            f"{without_credentials(uri)!r} is no tracking URI; one is such as http://127.0.0.1:5000 "
            "(in a password, write '@' as %40, '/' as %2F and ':' as %3A)."
        ) from error
    return parts


def _check_server(uri: str, parts: SplitResult) -> None:
    through_proxy = parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.netloc)
    if parts.hostname and through_proxy:
        return
    _check_port(uri, parts, SERVER_PORTS[parts.scheme])


def _check_port(uri: str, parts: SplitResult, default: int) -> None:
    shown = without_credentials(uri)
    if not parts.hostname:
        raise InvalidArgumentError(f"{shown!r} is no tracking URI: it names no host.")
    try:
        socket.create_connection((parts.hostname, parts.port or default), _SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise InvalidArgumentError(
            f"no tracking server answers at {shown} ({getattr(error, 'strerror', None) or error}). "
            "Start it (mlflow server), or leave the URI out to use a file in this folder."
        ) from error


def _check_database(uri: str) -> None:
    """Log in once. MLflow tries again for minutes where the password is wrong."""
    import sqlalchemy

    try:
        engine = sqlalchemy.create_engine(uri)
        engine.connect().close()
        engine.dispose()
    except ModuleNotFoundError as error:
        raise InvalidArgumentError(
            f"the tracking store {without_credentials(uri)} needs a package that is not here: pip install {error.name}."
        ) from error
    except Exception as error:  # each driver has errors of its own
        raise InvalidArgumentError(
            f"the tracking store {without_credentials(uri)} cannot be used: {redacted(brief(error))}"
        ) from error


def _check_file(uri: str) -> None:
    if not uri.startswith("sqlite:///"):
        raise InvalidArgumentError(
            f"{uri!r} is no tracking URI: a sqlite file has three slashes, and four before an absolute path, "
            "such as sqlite:///mlflow.db."
        )
    file = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    if file.is_dir():
        raise InvalidArgumentError(f"the tracking store {file} is a directory; name a file in it, such as mlflow.db.")
    if not file.absolute().parent.is_dir():
        raise InvalidArgumentError(f"the folder of the tracking store does not exist: {file.absolute().parent}.")
    if file.exists():
        _check_header(file)


def _check_header(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise InvalidArgumentError(f"the tracking store {file} cannot be read: {error.strerror}.") from error
    if begins and begins != _SQLITE_MAGIC:
        raise InvalidArgumentError(f"the tracking store {file} is no sqlite database; name another file.")


def _check_folder(uri: str) -> None:
    if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in {"true", "1"}:
        return
    raise InvalidArgumentError(
        f"the tracking store {uri} is a folder, which MLflow no longer writes to; "
        "take a sqlite file, such as sqlite:///mlflow.db, or a server, such as http://127.0.0.1:5000."
    )


def _check_plugin(uri: str, kind: str) -> None:
    plugins = {one.name for one in importlib.metadata.entry_points(group="mlflow.tracking_store")}
    if kind in plugins:
        return
    known = sorted({"sqlite", *SERVER_PORTS, *_DATABASE_PORTS, "databricks", *plugins} - {"file", "file-plugin"})
    raise InvalidArgumentError(
        f"{without_credentials(uri)!r} is no tracking URI: MLflow knows no {kind!r}.{did_you_mean(kind, known)} "
        f"It begins with one of {', '.join(known)}."
    )
