"""Seeing whether a file can be read, before somebody else's reader words it worse."""

from __future__ import annotations

from pathlib import Path

from mlflow_hpo.core.errors import did_you_mean

_LONGEST = 300
_MOST_LISTED = 10


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
        A sentence; it says in full which file was looked for.
    """
    try:
        if file.is_dir():
            return f"{_shown(file)} is a directory; name {hint}."
        if not file.exists():
            tried = "" if file.is_absolute() else f": there is no {_shown(file.absolute())}"
            return f"{_shown(file)} does not exist{tried}."
        if not file.is_file():
            return f"{_shown(file)} is no file."
        file.open("rb").close()
    except (OSError, ValueError) as error:
        return f"{_shown(file)} cannot be read: {getattr(error, 'strerror', None) or error}."
    return None


def near_names(file: Path, suffixes: tuple[str, ...]) -> str:
    """Return a hint at the files of some kinds that are where a missing one was looked for; empty where none is.

    Parameters
    ----------
    file : Path
        The missing file.
    suffixes : tuple of str
        The kinds.
    """
    try:
        if file.exists():
            return ""
        names = sorted(one.name for one in file.parent.iterdir() if one.suffix in suffixes)
    except (OSError, ValueError):
        return ""
    close = did_you_mean(file.name, names)
    listed = f" There are: {', '.join(names[:_MOST_LISTED])}." if names else ""
    return close or listed


def _shown(file: Path) -> str:
    return str(file) if len(str(file)) <= _LONGEST else f"{str(file)[:_LONGEST]}..."
