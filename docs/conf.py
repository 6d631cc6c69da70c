"""Sphinx: MyST pages, numpydoc API reference, a reference of the commands, every example run by the doctest builder."""

import sys
from pathlib import Path

from labelproof import __version__

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from _cli import write as write_commands  # noqa: E402 - a module of this folder

write_commands(DOCS / "api")

project = "labelproof"
author = "the labelproof developers"
copyright = "2026, the labelproof developers"
release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # pages need nothing from elsewhere
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "labelproof"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
highlight_language = "none"  # output of commands is no Python; examples with >>> are told by their form
exclude_patterns = ["_build", "gallery/**/*.ipynb", "gallery/**/*.py", "gallery/**/*.zip"]
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
doctest_global_setup = "import numpy as np\nimport polars as pl\nimport labelproof as lp"
doctest_test_doctest_blocks = ""  # the examples of docstrings run with the test suite
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
}
templates_path = ["_templates"]
autodoc_default_options = {
    "exclude-members": "set_score_request, set_fit_request, set_predict_request, set_predict_proba_request, set_transform_request, get_metadata_routing"
}
