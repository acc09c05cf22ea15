"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

_PACKAGES = (
    "mlflow-hpo",
    "mlflow",
    "tensorflow-cpu",
    "tensorflow",
    "keras",
    "scikeras",
    "scikit-learn",
    "joblib",
    "distributed",
    "numpy",
    "optuna",
    "keras-tuner",
    "ray",
)


def machine() -> str:
    """Return the kind of machine: processor, cores, memory, system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, no GPU used, {platform.system()}"


def versions() -> str:
    """Return the versions of Python and of all packages that matter."""
    found = {name: version for name in _PACKAGES if (version := _version(name))}
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version}" for name, version in found.items())])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
