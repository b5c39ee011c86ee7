"""The course as static pages, English and Spanish, from the committed notebooks and docs/*.md; nothing is executed.

Sphinx makes the pages, a folder a language, from what `tlcourse.site_sources` lays out in a temporary folder.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tlcourse.errors import LessonError
from tlcourse.notebook_files import code_cells, read_notebook, write_notebook
from tlcourse.site_sources import FILES, NOWHERE, Host, Layout, find_pages
from tlcourse.variants import LANGUAGES
from tlhelpers.errors import DataNotFoundError


def build_site(root: Path, out: Path, host: Host = NOWHERE) -> Path:
    """Writes the site: a folder a language, and a page to choose from.

    Args:
        root: The course's folder, with `notebooks`, `lab` and `docs`.
        out: The folder to write; an older site there is replaced.
        host: Where the repository is published, for the buttons that open a notebook there.

    Returns:
        `out`.

    Raises:
        LessonError: Sphinx had something to say, such as a link that leads nowhere; or `out` holds something else.
        DataNotFoundError: Sphinx is not installed.
    """
    if out.exists() and any(out.iterdir()) and not (out / "en" / "searchindex.js").exists():
        raise LessonError(f"{out}: expected a new folder or an older site, came a folder with other files.")
    out.mkdir(parents=True, exist_ok=True)  # where that cannot be, it is told before two builds
    pages = find_pages(root)
    with tempfile.TemporaryDirectory() as temporary:
        builds = {}
        for language in LANGUAGES:  # side by side, each on a core of its own
            source = Path(temporary, language, "source")
            Layout(root, pages, language, host, source).write()
            builds[language] = _start_sphinx(source)
        _finish(builds)
        shutil.rmtree(out, ignore_errors=True)
        for language in LANGUAGES:
            shutil.copytree(Path(temporary, language, "html"), out / language)
        for path, page in pages.items():
            if path.endswith(".ipynb"):
                write_notebook(out / page.language / "notebooks" / Path(path).name, _without_outputs(root / path))
        shutil.copyfile(FILES / "choose.html", out / "index.html")
    return out


def _start_sphinx(source: Path) -> subprocess.Popen:
    """Starts a build that says nothing but what is wrong; a warning makes it fail."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    return subprocess.Popen(
        [*command, "-d", "doctrees", "source", "html"],
        cwd=source.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )


def _without_outputs(path: Path) -> dict:
    """A notebook to download: who opens it runs it, and what it printed stands on the page."""
    notebook = read_notebook(path)
    for cell in code_cells(notebook):
        cell |= {"outputs": [], "execution_count": None}
    return notebook


def _finish(builds: dict[str, subprocess.Popen]) -> None:
    said = {language: build.communicate()[0].strip() for language, build in builds.items()}
    failed = "\n".join(text for language, text in said.items() if builds[language].returncode)
    if "No module named" in failed:
        raise DataNotFoundError(
            f"Expected Sphinx and what the pages need, and not all is there:\n{failed}\n"
            'Mend it with: pip install -e "./tlcourse[site]"'
        )
    if failed:
        raise LessonError(f"expected pages without a warning, came:\n{failed}")
