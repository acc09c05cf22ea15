"""Sphinx's settings: pages in Markdown (MyST), the reference from docstrings, the command line's from click."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import mlflow_hpo

project = "mlflow_hpo"
author = "the mlflow_hpo authors"
release = version = mlflow_hpo.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "excerpt",
    "study_file_keys",
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # `name` in a docstring
# The signatures of the searches are scikit-learn's, in full: a line each parameter.
maximum_signature_line_length = 88
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "mlflow_hpo"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
