"""How Sphinx builds the documentation: from these pages and the docstrings, without a network."""

from importlib import metadata

project = "clv"
author = "The clv authors"
release = metadata.version("clv")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["schedules"]
html_theme = "furo"
html_title = f"clv {release}"
html_extra_path = ["schedules"]
html_static_path = ["_static"]
html_js_files = ["keyboard.js"]
templates_path: list[str] = []
# Pages link to files of the repository beside docs/, which are no pages here; a test follows them.
suppress_warnings = ["myst.xref_missing", "myst.header"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def _skip_scikit_learn(_app, _what, name, _obj, skip, _options):
    """Leave out what every estimator has of scikit-learn: its own documentation has it."""
    own = name.startswith("set_") and name.endswith("_request")
    return skip or own or name in ("get_metadata_routing", "get_params", "set_params")


def setup(app):
    """Connect to Sphinx."""
    app.connect("autodoc-skip-member", _skip_scikit_learn)
