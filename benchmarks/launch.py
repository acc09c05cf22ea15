"""Fresh processes for runs, fresh stores for processes, and one tracking server."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders import Store

_ROOT = Path(__file__).resolve().parent.parent
_SERVER_START_SECONDS = 120
_SETTLE_SECONDS = 15
# Processes whose parent has ended become this one's children: so they can be waited for, and their CPU time is known.
_PR_SET_CHILD_SUBREAPER = 36


class Launcher:
    """Starts runs, each in a process and a directory of its own.

    Parameters
    ----------
    directory : Path
        Where all of it is put.
    timeout : float
        Seconds after which a run is ended.
    """

    def __init__(self, directory: Path, timeout: float) -> None:
        self._directory = directory
        self._timeout = timeout
        self._template: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._server_uri = ""
        self._runs = 0

    def run(self, job: Mapping[str, Any], store: Store) -> dict[str, Any]:
        """Do a job and return what was measured, or `{"error": ...}`."""
        self._runs += 1
        directory = self._directory / str(self._runs)
        directory.mkdir()
        (directory / "job.json").write_text(json.dumps(dict(job)))
        environment = self._environment(directory, store)
        before, start = _busy(), time.perf_counter()
        try:
            measured = self._process(directory, environment)
        finally:
            self._settle()
            shutil.rmtree(directory, ignore_errors=True)
        wall = time.perf_counter() - start
        # A server of ours is among the others for as long as it runs.
        return measured | {"others": _others(before, _busy(), wall), "wall": wall}

    def _process(self, directory: Path, environment: dict[str, str]) -> dict[str, Any]:
        result, log = directory / "result.json", directory / "log"
        command = [sys.executable, "-m", "benchmarks.worker", "job.json", "result.json"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=output)
            try:
                process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                return {"error": "timeout"}
            finally:
                process.kill()
                process.wait()
        if not result.exists():
            return {"error": f"exit code {process.returncode}", "log": _tail(log)}
        measured: dict[str, Any] = json.loads(result.read_text())
        return measured | ({"log": _tail(log)} if "error" in measured else {})

    def _settle(self) -> None:
        """Wait for what a run has left behind, a report that is being made say, and end what waits for more work."""
        server = {self._server.pid} if self._server is not None else set()
        deadline = time.monotonic() + _SETTLE_SECONDS
        while left := _children() - server:
            for pid in left:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.1)

    def _environment(self, directory: Path, store: Store) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        environment["PYTHONPATH"] = str(_ROOT)
        # A database per run, made beforehand: its schema costs seconds.
        if store is not Store.NONE:
            shutil.copy(self._empty_store(), directory / "mlflow.db")
            environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{directory / 'mlflow.db'}"
        if store is Store.HTTP:
            environment["MLFLOW_TRACKING_URI"] = self._running_server()
        return environment

    def _empty_store(self) -> Path:
        if self._template is None:
            from mlflow import MlflowClient

            self._template = self._directory / "empty.db"
            MlflowClient(tracking_uri=f"sqlite:///{self._template}").search_experiments(max_results=1)
        return self._template

    def _running_server(self) -> str:
        if self._server is None:
            port = free_port()
            self._server_uri = f"http://127.0.0.1:{port}"
            self._server = _start_server(self._directory / "server", self._empty_store(), port)
            _wait_for(self._server_uri + "/health", self._server)
        return self._server_uri

    def close(self) -> None:
        """End the server, if there is one."""
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self._server.kill()


@contextmanager
def launcher(timeout: float) -> Iterator[Launcher]:
    """Return a launcher that leaves nothing behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        launched = Launcher(Path(directory), timeout)
        try:
            yield launched
        finally:
            launched.close()


def _start_server(directory: Path, empty_store: Path, port: int) -> subprocess.Popen[bytes]:
    directory.mkdir()
    shutil.copy(empty_store, directory / "mlflow.db")
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{directory / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(directory / "artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SERVER_START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError("The tracking server did not start.")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children() -> set[int]:
    """Return the processes that this one is to wait for; none where the system does not tell."""
    try:
        return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
    except OSError:
        return set()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _busy() -> tuple[float, float] | None:
    """Return the CPU seconds that the machine has spent on work, and those of our ended children."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq = fields
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK"), children.ru_utime + children.ru_stime


def _others(before: tuple[float, float] | None, after: tuple[float, float] | None, wall: float) -> float | None:
    """Return how many cores others have kept busy."""
    if before is None or after is None:
        return None
    return max(0.0, (after[0] - before[0] - (after[1] - before[1])) / wall)
