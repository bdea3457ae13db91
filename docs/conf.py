"""The documentation as a site: ``make docs`` builds it into ``site/``; every warning is an error."""

from importlib.metadata import version as _version

project = "jaxgrad"
author = "the authors of jaxgrad"
release = _version("jaxgrad")

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "jaxgrad"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style, pygments_dark_style = "default", "monokai"
