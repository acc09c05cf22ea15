"""Why a fit is left to Keras."""

from __future__ import annotations


class NotReusable(Exception):  # noqa: N818 - it is no error: Keras does the work instead
    """A network or call that cannot share a compiled graph; the message says why."""
