"""A project of small modules, digested in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path


class Project:
    """Modules in a folder, which may be edited between digests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, source: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        source = (self._folder / name).read_text(encoding="utf-8")
        assert old in source
        (self._folder / name).write_text(source.replace(old, new), encoding="utf-8")

    def run(self, program: str, *, seed: int = 0) -> str:
        """Run a program that knows `digest`, with strings hashed by a seed, and return what it prints."""
        self.write("main.py", "from mlflow_hpo.core.digest import digest\n" + textwrap.dedent(program))
        done = subprocess.run(
            [sys.executable, "-B", "main.py"],
            cwd=self._folder,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def digest(self, expression: str, imports: str = "") -> str:
        """Return the digest of an expression, the value of which a fresh process makes."""
        return self.run(f"{imports}\nprint(digest({expression}))")
