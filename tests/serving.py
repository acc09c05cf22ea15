"""Programs that serve the tests on the loopback device, MLflow's server before all; each ends with the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

# A shell reads a pipe from us: however this process ends, the pipe is closed, and the whole group is ended.
_ENDS_WITH_US = '"$@" & read -r _; kill -{signal} 0'
_START_SECONDS = 120.0


def free_port() -> int:
    """Return a port of the loopback device that nobody has at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    last: signal.Signals = signal.SIGKILL,
) -> Iterator[int]:
    """Run a program, and give the number of the process group that it is in; all of it ends with the signal `last`."""
    with (
        log.open("ab") as said,
        subprocess.Popen(
            ["sh", "-c", _ENDS_WITH_US.format(signal=int(last)), "sh", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            user=user,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, last)


def wait_until(is_up: Callable[[], bool], what: str, log: Path) -> None:
    """Wait until a program is up."""
    deadline = time.monotonic() + _START_SECONDS
    while not is_up():
        assert time.monotonic() < deadline, f"{what} did not come up:\n{log.read_text(errors='replace')[-3000:]}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


class MLflowServer:
    """MLflow's server. It can be killed, and comes back at the same address with what it had.

    Parameters
    ----------
    folder : Path
        Takes its log, and all that it keeps where nothing else is said.
    store, artifacts : str or None
        Where it keeps runs, and files.
    options : sequence of str
    environment : mapping of str to str or None
        What else it is told.
    """

    def __init__(
        self,
        folder: Path,
        *,
        store: str | None = None,
        artifacts: str | None = None,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        places = ["--backend-store-uri", store or f"sqlite:///{folder}/served.db"]
        places += ["--artifacts-destination", artifacts or str(folder / "served")]
        program = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
        self._command = [*program, *places, *options]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
        self._environment = {**quiet, **(environment or {})}
        self._log = folder / "mlflow.log"
        self._running = ExitStack()
        self.pid: int | None = None

    def start(self) -> None:
        """Start it, and return at once."""
        self.pid = self._running.enter_context(running(self._command, self._log, self._environment))

    def wait(self) -> None:
        """Wait until it answers."""
        wait_until(lambda: answers(f"{self.uri}/health"), "MLflow's server", self._log)

    def signal(self, number: int) -> None:
        """Send it and all its workers a signal."""
        assert self.pid is not None
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill it with all its workers, unless that has been done."""
        self._running.close()

    def __enter__(self) -> MLflowServer:
        self.start()
        self.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()


class Gateway:
    """What stands before a server, and answers in its place when that is overloaded, say. It ends with its context.

    Parameters
    ----------
    server : str
        Address of the server.

    Attributes
    ----------
    uri : str
        Where it is.
    answers : list of int
        The status of each of the next requests, none of which reaches the server.
    """

    def __init__(self, server: str) -> None:
        self.answers: list[int] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if gateway.answers:
                    status, content = gateway.answers.pop(0), b"<html>Try again later.</html>"
                else:
                    answer = requests.request(
                        self.command, server + self.path, data=body, headers=dict(self.headers), timeout=30
                    )
                    status, content = answer.status_code, answer.content
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._http.shutdown()
        self._http.server_close()
