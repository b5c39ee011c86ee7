"""An executed notebook as one HTML file that opens anywhere: images inside, and nothing loaded from the network.

nbconvert's page asks content networks for require.js, MathJax and mermaid. None is needed here: formulas become MathML,
which browsers draw themselves, and the outputs of lessons bring their own scripts.
"""

import html as html_text
import logging
import os
import re
import warnings
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets import default

from tlcourse.captions import give_captions
from tlcourse.outputs import clean_outputs
from tlhelpers.paths import atomic_path

TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block codecell -%}
{%- if 'solution' in cell.metadata.get('tags', []) -%}
{%- set spanish = nb.metadata.get('tlhelpers', {}).get('language') == 'es' -%}
<details class="folded"><summary>{{ 'Solución' if spanish else 'Solution' }}</summary>
{{ super() }}
</details>
{%- else -%}
{{ super() }}
{%- endif -%}
{%- endblock -%}
{%- block input_group -%}
{%- if 'folded' in cell.metadata.get('tags', []) -%}
{%- set spanish = nb.metadata.get('tlhelpers', {}).get('language') == 'es' -%}
<details class="folded"><summary>{{ 'Código' if spanish else 'Code' }}</summary>
{{ super() }}
</details>
{%- else -%}
{{ super() }}
{%- endif -%}
{%- endblock -%}
{%- block data_png scoped -%}
{%- set alt = output | get_metadata('alt', 'image/png') -%}
<div class="jp-RenderedImage jp-OutputArea-output {{ extra_class }}">
<img src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}" alt="{{ (alt or '') | escape_html }}">
</div>
{%- endblock -%}
{%- block html_head_css -%}
<style>
body.jp-Notebook { max-width: 60rem; margin: 0 auto; padding: 1rem; }
.jp-RenderedHTMLCommon img, .jp-RenderedImage img { max-width: 100%; height: auto; }
.jp-InputArea-editor, .highlight pre, .jp-OutputArea-output { overflow-x: auto; }
.jp-RenderedHTMLCommon table { display: block; max-width: 100%; overflow-x: auto; }
.jp-RenderedText pre { white-space: pre; }
.jp-Notebook .jp-RenderedHTMLCommon a:any-link { text-decoration: underline; }
details.folded > summary {
  margin: .5rem 0 .5rem calc(var(--jp-cell-prompt-width) + 1rem); cursor: pointer;
  font-family: var(--jp-content-font-family);
}
html:root {  /* 4.5:1 at least, on the page and on the grey of code */
  --jp-cell-prompt-not-active-opacity: 1; --jp-mirror-editor-number-color: #006400;
  --jp-cell-inprompt-font-color: #1f5f96; --jp-cell-outprompt-font-color: #9c4428;
  --jp-mirror-editor-comment-color: #2f6464; --jp-mirror-editor-operator-color: #8318c9;
}
@media (prefers-color-scheme: dark) {
  html:root {
    color-scheme: dark; --jp-layout-color0: #16181c; --jp-layout-color1: #16181c; --jp-layout-color2: #2a2e36;
    --jp-content-font-color0: #fff; --jp-content-font-color1: #e4e6ea; --jp-content-font-color2: #b4b9c2;
    --jp-content-font-color3: #b4b9c2; --jp-ui-font-color0: #fff; --jp-ui-font-color1: #e4e6ea;
    --jp-content-link-color: #82b7ff; --jp-border-color0: #4a505c; --jp-border-color1: #4a505c;
    --jp-border-color2: #3c414b; --jp-border-color3: #2f343c; --jp-cell-editor-background: #20242a;
    --jp-cell-editor-border-color: #3c414b; --jp-rendermime-table-row-background: #20242a;
    --jp-rendermime-table-row-hover-background: #2a3a50; --jp-rendermime-error-background: #4a2226;
    --jp-cell-inprompt-font-color: #82b7ff; --jp-cell-outprompt-font-color: #f0a58a;
    --jp-mirror-editor-variable-color: #e4e6ea; --jp-mirror-editor-comment-color: #8fc1c1;
    --jp-mirror-editor-keyword-color: #7fd88f; --jp-mirror-editor-builtin-color: #7fd88f;
    --jp-mirror-editor-number-color: #9fdc7a; --jp-mirror-editor-string-color: #ff9d9d;
    --jp-mirror-editor-operator-color: #d6a2ff; --jp-mirror-editor-punctuation-color: #8fc4f0;
    --jp-mirror-editor-def-color: #9db4ff; --jp-mirror-editor-meta-color: #d6a2ff;
    --jp-mirror-editor-error-color: #ff9d9d; --jp-cell-prompt-not-active-font-color: #b4b9c2;
  }
  .jp-RenderedImage img, .jp-RenderedMarkdown img {  /* figures are drawn for paper */
    background: #fff; padding: .5rem; border-radius: .3rem; box-sizing: border-box;
  }
}
@media (max-width: 40rem) {
  body.jp-Notebook { padding: .5rem; }
  .jp-InputPrompt, .jp-OutputPrompt { display: none; }
  details.folded > summary { margin-left: .5rem; }
}
</style>
{%- endblock -%}
"""


def to_html(notebook: Path, html: Path) -> Path:
    """Writes the notebook as one HTML file.

    Live widgets (progress bars, upload buttons) are left out: they are of no use without a kernel.

    Args:
        notebook: An executed notebook.
        html: The file to write; its folder is created where needed.

    Returns:
        `html`.
    """
    node = nbformat.read(notebook, as_version=4)
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(output) for output in _shown(clean_outputs(cell.outputs))]
    node.metadata.pop("widgets", None)
    give_captions(node)
    exporter = _OfflineExporter()
    exporter.language_code = node.metadata.get("tlhelpers", {}).get("language", "en")
    exporter.log = logging.getLogger("tlcourse.html_report")
    exporter.log.setLevel(logging.ERROR)  # nbconvert counts images without alternative text at each export
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your element with mimetype")  # records that show nothing
        page, _ = exporter.from_notebook_node(
            node, resources={"metadata": {"name": Path(notebook).stem, "path": str(Path(notebook).parent)}}
        )
    page = page.replace("<pre>", '<pre tabindex="0">')  # what scrolls is reached from the keyboard, too
    html = Path(html)
    html.parent.mkdir(parents=True, exist_ok=True)
    page = _lead_links(page, node, Path(notebook).resolve(), html.resolve())
    with atomic_path(html) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return html


def _lead_links(page: str, node: nbformat.NotebookNode, notebook: Path, html: Path) -> str:
    """Links to files of the course lead there from where the page stands: its notebook may have been run elsewhere."""
    language = node.metadata.get("tlhelpers", {}).get("language", "en")
    places = [notebook.parent, *(folder / "notebooks" / language for folder in html.parents)]

    def lead(match: re.Match) -> str:
        for place in places:
            if (file := place / unquote(match[1])).is_file():
                return f'href="{quote(os.path.relpath(file, html.parent).replace(os.sep, "/"))}{match[2] or ""}"'
        return match[0]

    return re.sub(r'href="([^"#:]+)(#[^"]*)?"', lead, page)


def _shown(outputs: list) -> list:
    """nbformat keeps text as one string where JSON has lists of lines."""
    for output in outputs:
        if "text" in output:
            output["text"] = "".join(output["text"])
        data = output.get("data", {})
        if "text/plain" in data:
            data["text/plain"] = "".join(data["text/plain"])
    return outputs


class _MathMLRenderer(IPythonRenderer):
    """Markdown with formulas as MathML."""

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return _mathml(body, "block")

    def block_html(self, html: str) -> str:
        """Raw HTML as it is: nbconvert's way to embed images closes every tag, also one that is closed further down."""
        return super().block_html(html) if "<img" in html else html

    def latex_environment(self, name: str, body: str) -> str:
        return _mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")


class _OfflineExporter(HTMLExporter):
    """nbconvert's exporter, with embedded images and the template above."""

    @default("raw_template")
    def _raw_template_default(self):
        return TEMPLATE

    @default("embed_images")
    def _embed_images_default(self):
        return True

    def default_filters(self):
        """nbconvert's filters, with our Markdown among them."""
        yield from super().default_filters()
        yield ("markdown2html", self._markdown)

    def _markdown(self, source: str) -> str:
        return MarkdownWithMath(renderer=_MathMLRenderer(escape=False, embed_images=True)).render(source)


def _mathml(tex: str, display: str) -> str:
    """The formula as MathML, or as its own source where it cannot be read."""
    from latex2mathml.converter import convert

    try:
        return convert(tex, display=display)
    except Exception:  # the library has a dozen errors without a common base; one bad formula must not cost the page
        return f"<code>{html_text.escape(tex)}</code>"
