"""How the documentation is built: ``make docs``. Nothing is fetched from the network."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "PaN Commons"
author = "The PaN Commons developers"
copyright = "The PaN Commons developers, BSD-3-Clause"
release = version = installed("pancommons")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathtext"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {version}"
html_math_renderer = "mathtext"
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
suppress_warnings = ["misc.highlighting_failure"]
