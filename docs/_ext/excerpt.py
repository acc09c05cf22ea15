"""Sphinx directive `excerpt`: one section of a file of the checkout, so that pages say again what is said elsewhere.

    ```{excerpt} README.md
    :section: Security
    ```

The section reaches to the next heading. Without `section` it is what stands between the file's title and its first
section.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

_CHECKOUT = Path(__file__).parents[2]
_PAGES = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(!?)\[([^]]*)\]\(([^):#]+)\)")


class Excerpt(SphinxDirective):
    """A section of a Markdown file."""

    required_arguments = 1
    option_spec = {"section": directives.unchanged}  # noqa: RUF012  (Sphinx's own way)

    def run(self) -> list[nodes.Node]:
        """Return what the section says."""
        file = _CHECKOUT / self.arguments[0]
        self.env.note_dependency(str(file))
        text = _section(file, self.options.get("section"))
        return self.parse_text_to_nodes(_LINK.sub(lambda link: self._moved(file, *link.groups()), text))

    def _moved(self, file: Path, mark: str, text: str, target: str) -> str:
        """Return a link that stands on this page; to what the site does not have, its text alone."""
        path = (file.parent / target).resolve()
        here = Path(self.env.doc2path(self.env.docname)).parent
        name = path.relative_to(_CHECKOUT.resolve()).as_posix()
        if mark or name in _PAGES:
            page = path if mark else Path(self.env.srcdir) / _PAGES[name]
            return f"{mark}[{text}]({os.path.relpath(page, here)})"
        return text if name in text else f"`{name}`" if name.endswith(text) else f"{text} (`{name}`)"


def _section(file: Path, heading: str | None) -> str:
    parts = re.split(r"^#+ +(.+)$", re.sub(r"(?ms)^```.*?^```$", _keep_comments, file.read_text("utf-8")), flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    wanted = parts[1] if heading is None else heading
    if wanted not in sections:
        raise ExtensionError(f"{file.name} has no section {wanted!r}; it has: {', '.join(sections)}")
    return sections[wanted].replace(_COMMENT, "#")


# Comments in code look like headings.
_COMMENT = "\0"


def _keep_comments(block: re.Match[str]) -> str:
    return re.sub(r"^#", _COMMENT, block[0], flags=re.M)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("excerpt", Excerpt)
    return {"parallel_read_safe": True}
