"""PostgreSQL, an S3-compatible store and MLflow's server, on the loopback device; each ends with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

# A shell reads a pipe from us: however this process ends, the pipe is closed, and the whole group is ended.
_ENDS_WITH_US = '"$@" & read -r _; kill -{signal} 0'
_START_SECONDS = 60.0
BUCKET = "mlflow"
# moto takes any; boto3 sends nothing without them.
S3_ACCESS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "s3-secret", "AWS_DEFAULT_REGION": "us-east-1"}


def free_port() -> int:
    """Return a port of the loopback device that nobody has at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(
    command: Sequence[str | Path],
    log: Path,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    signal: str = "KILL",
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["sh", "-c", _ENDS_WITH_US.format(signal=signal), "sh", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            user=user,
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()


def _wait(is_up: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if is_up():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come up:\n{log.read_text(errors='replace')[-3000:]}")


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the latest version there is; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    onpath = shutil.which("initdb")
    return found[-1] if found else Path(onpath).parent if onpath else None


@contextmanager
def postgres(programs: Path, password: str) -> Iterator[str]:
    """Run PostgreSQL on files of its own, and give the URI of an empty database."""
    # It refuses root, and another user cannot enter pytest's folders.
    user = _other_user() if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="mlflow_hpo-postgres-") as folder:
        if user:
            shutil.chown(folder, user)
        data, secret = Path(folder, "data"), Path(folder, "password")
        secret.write_text(password)
        secret.chmod(0o644)
        access = ["--username=mlflow", f"--pwfile={secret}", "--auth=scram-sha-256"]
        initdb = [programs / "initdb", "-D", data, *access, "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(initdb, check=True, user=user, capture_output=True, cwd="/")
        port, log = free_port(), Path(folder, "log")
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p", str(port)]
        # An immediate shutdown: it leaves no shared memory behind.
        with _running([programs / "postgres", "-D", data, *options], log, user=user, signal="QUIT"):
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            _wait(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL", log)
            # The driver is named: SQLAlchemy 2.0 and 2.1 differ in what they take by themselves.
            yield f"postgresql+psycopg2://mlflow:{password}@127.0.0.1:{port}/postgres"


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Run moto's S3 with an empty bucket, and give its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = folder / "s3.log"
    with _running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log):
        _wait(lambda: _answers(f"{url}/moto-api/"), "moto", log)
        requests.put(f"{url}/{BUCKET}", timeout=10).raise_for_status()
        yield url


@contextmanager
def mlflow_server(folder: Path, options: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start MLflow's server, and give its address; `wait_for_mlflow` waits until it answers."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port), *options]
    with _running(
        command,
        folder / "mlflow.log",
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore", **(environment or {})},
    ):
        yield f"http://127.0.0.1:{port}"


def wait_for_mlflow(url: str, folder: Path) -> None:
    """Wait until MLflow's server answers."""
    _wait(lambda: _answers(f"{url}/health"), "mlflow server", folder / "mlflow.log")
