"""How Sphinx makes a site of these pages: `make docs`."""

project = "prominence"
author = "the founders of prominence"
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["examples"]
myst_heading_anchors = 4
"""Headings can be linked to, down to this level, by the same names that code hosts give them."""

html_theme = "furo"
html_title = "prominence"
html_show_copyright = False
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {"source_edit_link": "", "source_view_link": ""}
copybutton_exclude = ".linenos, .gp, .go"
suppress_warnings = ["misc.highlighting_failure"]
"""Examples show answers with ... in them, which no JSON has."""
