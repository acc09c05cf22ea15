"""The pages' templates. Every value is escaped, except the drawings that this package has made itself."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.report import _values as values
from mlflow_hpo.report._canvas import Plot, to_svg
from mlflow_hpo.report._theme import css_variables

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **context: Any) -> str:
    """Return a page.

    Parameters
    ----------
    template : str
        File in `templates`.
    **context : object
        What it tells of.
    """
    return _environment().get_template(template).render(made_ms=now_ms(), **context)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def svg(plot: Plot) -> Markup:
        return Markup(to_svg(plot))  # matplotlib escapes what stands in it

    environment = Environment(
        loader=PackageLoader("mlflow_hpo.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "svg": svg,
        "number": values.show_number,
        "param": values.show_param,
        "seconds": values.show_seconds,
        "moment": values.show_moment,
        "shorten": values.shorten,
        "without_credentials": without_credentials,
    }
    assert environment.loader is not None
    script = environment.loader.get_source(environment, "page.js")[0]
    environment.globals |= {
        "script": Markup(script),
        # The page allows this script alone: what a parameter's value may hold runs nowhere.
        "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "version": _version(),
        "light": Markup(css_variables(dark=False)),
        "dark": Markup(css_variables(dark=True)),
    }
    return environment


def _version() -> str:
    try:
        return importlib.metadata.version("mlflow-hpo")
    except importlib.metadata.PackageNotFoundError:  # a checkout that was not installed
        return ""
