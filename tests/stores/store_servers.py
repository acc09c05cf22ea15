"""PostgreSQL and an S3-compatible store."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGQUIT

import requests
from serving import answers, free_port, running, wait_until

BUCKET = "mlflow"
# moto takes any; boto3 sends nothing without them.
S3_ACCESS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "s3-secret", "AWS_DEFAULT_REGION": "us-east-1"}


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
        with running([programs / "postgres", "-D", data, *options], log, user=user, last=SIGQUIT):
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL", log)
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
    with running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log):
        wait_until(lambda: answers(f"{url}/moto-api/"), "moto", log)
        requests.put(f"{url}/{BUCKET}", timeout=10).raise_for_status()
        yield url
