"""Seeing whether a file can be read, before somebody else's reader words it worse."""

from __future__ import annotations

from pathlib import Path


def problem_with(file: Path, hint: str) -> str | None:
    """Return why a file cannot be read, or None if it can.

    Parameters
    ----------
    file : Path
        The file.
    hint : str
        What to name in place of a directory.

    Returns
    -------
    str or None
        A sentence.
    """
    shown = str(file) if len(str(file)) <= 300 else f"{str(file)[:300]}..."
    try:
        if file.is_dir():
            return f"{shown} is a directory; name {hint}."
        if not file.exists():
            where = "" if file.is_absolute() else f" in {Path.cwd()}"
            return f"{shown} does not exist{where}."
        if not file.is_file():
            return f"{shown} is no file."
        file.open("rb").close()
    except (OSError, ValueError) as error:
        return f"{shown!r} cannot be read: {getattr(error, 'strerror', None) or error}."
    return None
