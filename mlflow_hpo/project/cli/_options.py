"""Option types of the command line. An empty value is one not given, since `mlflow run` passes them all."""

from __future__ import annotations

import re
from typing import Any

import click

_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Text(click.ParamType[Any]):
    """Text, or None where it is empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text without the spaces around it."""
        return str(value).strip() or None


class Number(click.ParamType[Any]):
    """A number, or None where it is empty; its range is checked with the study file's."""

    name = "number"
    _kind: type = float
    _what = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        text = str(value).strip()
        if not text:
            return None
        try:
            return self._kind(text)
        except ValueError:
            self.fail(f"{text[:60]!r} is no {self._what}.", param, ctx)


class WholeNumber(Number):
    """A whole number, or None where it is empty."""

    name = "integer"
    _kind = int
    _what = "whole number"


class RunId(click.ParamType[Any]):
    """The id of a run; never empty."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the id."""
        text = str(value).strip()
        if not re.fullmatch(r"[A-Za-z0-9][\w-]{0,255}", text):
            got = repr(text[:60]) if text else "nothing"
            self.fail(f"it is the id of a study's run, as MLflow's UI shows it; got {got}.", param, ctx)
        return text


class YesNo(click.ParamType[Any]):
    """true or false, or None where it is empty."""

    name = "true|false"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the truth value."""
        text = str(value).strip().lower()
        if not text:
            return None
        if text not in _YES_NO:
            self.fail(f"{text[:60]!r} is neither true nor false.", param, ctx)
        return _YES_NO[text]
