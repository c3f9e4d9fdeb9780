"""Sphinx: `make docs` builds docs/_build/html from these pages, the notebooks and RESULTS.md, without a network."""

from importlib import metadata
from pathlib import Path

import latex2mathml.converter
from docutils import nodes
from sphinx.util import logging

REPOSITORY = Path(__file__).parent.parent

project = "thesis_lib"
author = "The authors of thesis_lib"
version = release = metadata.version("thesis-lib")
extensions = ["myst_nb"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*.ipynb", "*.md"]
suppress_warnings = ["myst.xref_missing"]  # links to files that are no pages; tests/test_readme.py checks them
exclude_patterns = ["docs/_build"]
nb_execution_mode = "off"  # the notebooks are committed with their outputs
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = "thesis_lib"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_copy_source = False
html_extra_path = ["_build/library"]  # what pdoc makes of the docstrings
html_math_renderer = "mathml"  # of the browser itself, so that pages need no script from elsewhere


def inline_math(self, node, display="inline"):
    try:
        self.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    except Exception:  # its errors share no class
        logging.getLogger(__name__).warning("a formula cannot be shown: %s", node.astext(), location=node)
        self.body.append(self.encode(node.astext()))
    raise nodes.SkipNode


def displayed_math(self, node):
    inline_math(self, node, "block")


def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (displayed_math, None))
