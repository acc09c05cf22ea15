"""Text as it may be shown and logged: without the credentials of URIs, and without a terminal's control characters."""

from __future__ import annotations

import re

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>|]+")
# A terminal obeys these; a line break is no danger. Direction marks make a name look like another one.
_OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def without_credentials(uri: str) -> str:
    """Return a URI without user, password and query.

    Parameters
    ----------
    uri : str
        A URI, or anything else, which comes back as it is.

    Returns
    -------
    str
        What is left. Of a URI that is written wrongly, such as one with an "@" or "/" in its password, rather too
        little than too much.

    Examples
    --------
    >>> without_credentials("https://user:secret@mlflow.example:8080/api?token=abc")
    'https://mlflow.example:8080/api'
    >>> without_credentials("postgresql://user:p@ss/word@db/mlflow")
    'postgresql://db/mlflow'
    >>> without_credentials("sqlite:////home/me@work/mlflow.db")
    'sqlite:////home/me@work/mlflow.db'
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return uri
    if not rest.startswith("/"):  # a path alone, as of a sqlite file, has no user
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{rest.partition('?')[0]}"


def redacted(text: str) -> str:
    """Return a text with the credentials taken out of each URI in it.

    Examples
    --------
    >>> redacted("cannot connect to 'mysql://root:secret@db:3306/hpo': refused")
    "cannot connect to 'mysql://db:3306/hpo': refused"
    """
    return _URI.sub(lambda found: without_credentials(found[0]), text)


def printable(text: str) -> str:
    r"""Return a text with control characters written out, so that what a file holds cannot command a terminal.

    Examples
    --------
    >>> print(printable("units\x1b[2J is no key"))
    units\x1b[2J is no key
    """
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
