"""Sphinx's settings for the course's pages. `tlcourse.site_sources` lays this file beside them, with about.json."""

import json
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

ABOUT = json.loads(Path(__file__).with_name("about.json").read_text(encoding="utf-8"))
SPANISH = ABOUT["language"] == "es"

project = html_title = "Aprendizaje por transferencia" if SPANISH else "Transfer learning"
language = ABOUT["language"]
extensions = ["myst_nb"]
templates_path = ["."]
exclude_patterns = ["conf.py"]

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "dollarmath", "html_image"]
myst_heading_anchors = 6
# Pages of the other language are no part of this build: tests/course/test_site.py follows these links.
myst_url_schemes = {"http": None, "https": None, "mailto": None, "site": "../{{path}}#{{fragment}}"}
suppress_warnings = ["myst.header"]  # the glossary goes from its title to headings of the third level

html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "article_header_start": ["bar"],
    "footer_start": [],
    "footer_end": [],
    "header_dropdown_text": "Más" if SPANISH else "More",
    "header_links_before_dropdown": 4,
    "github_url": ABOUT["repository"],
    "navigation_with_keys": False,
    "search_bar_text": "Buscar en el curso" if SPANISH else "Search the course",
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
html_context = {"default_mode": "auto"}  # light or dark as the reader's system has it
html_use_index = False
html_sidebars = {name: [] for name in [*ABOUT["bars"], "search"] if not name.endswith(("pytorch", "tensorflow"))}
html_static_path = ["course.css", "course.js"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_math_renderer = "mathml"
html_copy_source = False


def _show_math(display: str):
    """Formulas as MathML, which browsers draw themselves, without a script."""

    def visit(translator, node):
        shown = convert(node.astext(), display=display)
        translator.body.append(shown if display == "inline" else f'<div class="math" tabindex="0">{shown}</div>')
        raise nodes.SkipNode

    return visit, None


def _complete(app, pagename, templatename, context, doctree):
    context["bar"] = ABOUT["bars"].get(pagename, [])
    # MyST-NB's label of folded cells is not the text that one sees, and English on each page
    context["body"] = context.get("body", "").replace('<summary aria-label="Toggle hidden content">', "<summary>")


def setup(app):
    """Adds what the course's pages have beside the theme's."""
    app.add_html_math_renderer("mathml", _show_math("inline"), _show_math("block"))
    app.connect("html-page-context", _complete)
