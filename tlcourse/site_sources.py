"""What Sphinx reads for the site (see `tlcourse.site`): all pages of a language side by side in one folder.

Links fit there, folded cells are marked in MyST-NB's way, and each figure's caption is its alternative text.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tlcourse.captions import give_captions
from tlcourse.course_map import map_table, read_course
from tlcourse.ledger import markdown_table
from tlcourse.lessons import lesson_number
from tlcourse.notebook_files import read_notebook, tags_of, text_of, write_notebook
from tlcourse.outputs import clean_outputs
from tlcourse.source_cells import FOLDED_TAG, SOLUTION_TAG
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS, LANGUAGES

FILES = Path(__file__).with_name("pages")
# The order of the menu, by the English files; what else is in docs/ follows, then LAST.
FIRST = (
    "docs/using.md",
    "docs/glossary.md",
    "docs/toolbox.md",
    "docs/claims.md",
    "docs/applications.md",
    "docs/photos.md",
)
LAST = ("lab/README.md", "README.md", "CONTRIBUTING.md")
NAMES = {"README": "readme", "lab/README": "lab", "CONTRIBUTING": "contributing"}
# How a page names its translation, near its top: "In Spanish: [glosario.md](glosario.md)" or "[English](README.md)".
TWIN = re.compile(r"(inglés|english|español|spanish)(?:: \[[^\]]*\]|\])\(([^)]+)\)", re.IGNORECASE)
TARGET = re.compile(r"(\]\(|src=\")(?!\w+:|#)([^)\s\"]+)")
HIDDEN = {SOLUTION_TAG: "hide-cell", FOLDED_TAG: "hide-input"}
WORDS = {
    "en": {
        "other": "es",
        "other_name": "En español",
        "same": "The same in",
        "download": "Download the notebook",
        "open": "Open",
        "open_in": "Open in",
        "lessons": "The lessons in",
        "lab": "The lab: the shelter's breeds",
        "lesson": "Lesson",
        SOLUTION_TAG: ("Solution", "Hide the solution"),
        FOLDED_TAG: ("Code", "Hide the code"),
    },
    "es": {
        "other": "en",
        "other_name": "In English",
        "same": "Lo mismo en",
        "download": "Descargar el cuaderno",
        "open": "Abrir",
        "open_in": "Abrir en",
        "lessons": "Las lecciones en",
        "lab": "El laboratorio: las razas del refugio",
        "lesson": "Lección",
        SOLUTION_TAG: ("Solución", "Ocultar la solución"),
        FOLDED_TAG: ("Código", "Ocultar el código"),
    },
}


@dataclass(frozen=True)
class Page:
    """A page that is made from a file of the repository."""

    language: str
    name: str  # of its file on the site, without suffix
    twin: str = ""  # its translation's path in the repository


@dataclass(frozen=True)
class Host:
    """Where the repository is published; empty where it is not."""

    repository: str = ""  # such as https://github.com/OWNER/NAME
    branch: str = ""

    def __bool__(self) -> bool:
        return bool(self.repository and self.branch)

    def services(self, notebook: str) -> dict[str, str]:
        """Services that open a notebook without an installation, with its address there."""
        if not self:
            return {}
        owner = self.repository.rstrip("/").removeprefix("https://github.com/")
        return {
            "Colab": f"https://colab.research.google.com/github/{owner}/blob/{self.branch}/{notebook}",
            "Binder": f"https://mybinder.org/v2/gh/{owner}/{self.branch}?urlpath=lab/tree/{notebook}",
        }


NOWHERE = Host()


def read_host(root: Path) -> Host:
    """What `[tool.tlcourse]` in pyproject.toml says. (Python 3.10 has no tomllib.)"""
    section = (root / "pyproject.toml").read_text(encoding="utf-8").partition("\n[tool.tlcourse]\n")[2].split("\n[")[0]
    return Host(**dict(re.findall(r'^(repository|branch) = "([^"]*)"', section, re.MULTILINE)))


def find_pages(root: Path) -> dict[str, Page]:
    """The pages by their files' paths in the repository, in the order of the menu."""
    lessons = [("notebooks", outline.name) for outline in read_course(root / "notebooks/src")]
    pages = {
        f"{folder}/{language}/{name}_{framework}.ipynb": Page(
            language, f"{name}_{framework}", f"{folder}/{WORDS[language]['other']}/{name}_{framework}.ipynb"
        )
        for folder, name in [*lessons, ("lab", "pets_lab")]
        for framework in FRAMEWORKS
        for language in LANGUAGES
    }
    rest = sorted(path.relative_to(root).as_posix() for path in root.glob("docs/*.md"))
    for path in (*FIRST, *(path for path in rest if path not in FIRST), *LAST):
        for file in (path, _read_page(root, path).twin):
            if file:
                pages.setdefault(file, _read_page(root, file))
    return pages


def _read_page(root: Path, path: str) -> Page:
    """A Markdown page: which language it is in follows from that of the translation that it names."""
    stem = path.removesuffix(".md").removesuffix(".es")
    name = NAMES.get(stem, Path(stem).name)
    twin = TWIN.search((root / path).read_text(encoding="utf-8")[:1000])
    if not twin:
        return Page("en", name)
    language = "es" if twin[1].lower() in ("inglés", "english") else "en"
    return Page(language, name, os.path.normpath(Path(path).parent / twin[2]))


@dataclass(frozen=True)
class Layout:
    """The folder that Sphinx reads for one language."""

    root: Path  # the repository
    pages: dict[str, Page]
    language: str
    host: Host
    folder: Path

    def write(self) -> None:
        """Writes the pages, Sphinx's settings, and for each page the links above it."""
        self.folder.mkdir(parents=True)
        own = {path: page for path, page in self.pages.items() if page.language == self.language}
        for path, page in own.items():
            if path.endswith(".ipynb"):
                write_notebook(self.folder / f"{page.name}.ipynb", self._notebook(path))
            else:
                self._write(page.name, self._fit_links((self.root / path).read_text(encoding="utf-8"), path))
        course = read_course(self.root / "notebooks/src")
        for framework in FRAMEWORKS:
            self._write(framework, self._framework_page(course, framework))
        menu = [page.name for path, page in own.items() if path.endswith(".md")]
        menu = [*(f"{FRAMEWORK_NAMES[f]} <{f}>" for f in FRAMEWORKS), *menu]
        start = self._fit_links((FILES / f"start.{self.language}.md").read_text(encoding="utf-8"), "docs/start.md")
        self._write(
            "index",
            start.replace("{map}", self._map(course)) + _toctree(menu),
        )
        bars = {page.name: self._bar(path, page) for path, page in own.items()}
        bars |= {name: [self._to_language(name)] for name in ("index", *FRAMEWORKS)}
        about = {"language": self.language, "repository": self.host.repository, "bars": bars}
        (self.folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
        shutil.copytree(FILES, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("start*", "choose*"))

    def _write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.md").write_text(text, encoding="utf-8")

    def _notebook(self, path: str) -> dict:
        notebook = read_notebook(self.root / path)
        give_captions(notebook)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = self._fit_links(text_of(cell), path)
                continue
            cell["outputs"] = clean_outputs(cell["outputs"])
            for output in cell["outputs"]:
                for mime in [mime for mime in output.get("data", {}) if mime.startswith("application/vnd.")]:
                    del output["data"][mime]  # records for programs
            for tag in set(tags_of(cell)) & set(HIDDEN):
                show, hide = WORDS[self.language][tag]
                cell["metadata"]["tags"].append(HIDDEN[tag])
                cell["metadata"].setdefault("mystnb", {}).update(code_prompt_show=show, code_prompt_hide=hide)
        about = notebook["metadata"]["tlhelpers"]
        number = f"{lesson_number(about['lesson'])} " if about["lesson"][0].isdigit() else ""
        title = rf"# {number}\1 · {FRAMEWORK_NAMES[about['framework']]}"
        first = notebook["cells"][0]
        first["source"] = re.sub(r"\A# (.+)", title, text_of(first))
        return notebook

    def _fit_links(self, text: str, path: str) -> str:
        """A text of the file `path` with its links to files as they are on the site.

        One to a file that is no page leads to the published repository, or to a copy where there is none.
        """

        def fit(match: re.Match) -> str:
            target, hash_sign, fragment = match[2].partition("#")
            file = os.path.normpath(Path(path).parent / target)
            page = self.pages.get(file)
            if page and page.language == self.language:
                target = page.name + Path(file).suffix
            elif page:
                target = f"site:{page.language}/{page.name}.html"
            elif not (self.root / file).is_file():
                return match[0]
            elif self.host and match[1] == "](":
                target = f"{self.host.repository}/blob/{self.host.branch}/{file}"
            else:
                target = file
                (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.root / file, self.folder / file)
            return match[1] + target + hash_sign + fragment

        return TARGET.sub(fit, text)

    def _framework_page(self, course, framework: str) -> str:
        words = WORDS[self.language]
        table = map_table("", course, self.language, framework)
        entries = [
            f"{lesson_number(o.name)} {_title(o, self.language, framework)} <{o.name}_{framework}>" for o in course
        ]
        lab = f"pets_lab_{framework}"
        return (
            f"# {words['lessons']} {FRAMEWORK_NAMES[framework]}\n\n{table}\n\n[{words['lab']}]({lab}.ipynb)\n"
            + _toctree([*entries, f"{words['lab']} <{lab}>"])
        )

    def _map(self, course) -> str:
        words = WORDS[self.language]
        rows = [
            [
                f"**{lesson_number(o.name)} {_title(o, self.language, '')}**<br>{o.about(self.language)}",
                "<br>".join(f"[{FRAMEWORK_NAMES[f]}]({o.name}_{f}.ipynb)" for f in FRAMEWORKS),
            ]
            for o in course
        ]
        return markdown_table([words["lesson"], words["open"]], rows)

    def _bar(self, path: str, page: Page) -> list[dict]:
        """The links above a page."""
        words = WORDS[self.language]
        twin = self.pages.get(page.twin)
        links = [self._to_language(twin.name if twin else "index")]
        if not path.endswith(".ipynb"):
            return links
        here = next(framework for framework in FRAMEWORKS if page.name.endswith(framework))
        links += [
            {"text": f"{words['same']} {FRAMEWORK_NAMES[f]}", "href": f"{page.name.replace(here, f)}.html"}
            for f in FRAMEWORKS
            if f != here
        ]
        links.append({"text": words["download"], "href": f"notebooks/{page.name}.ipynb", "download": True})
        services = self.host.services(path).items()
        return links + [{"text": f"{words['open_in']} {name}", "href": address} for name, address in services]

    def _to_language(self, name: str) -> dict:
        words = WORDS[self.language]
        return {"text": words["other_name"], "href": f"../{words['other']}/{name}.html", "lang": words["other"]}


def _title(outline, language: str, framework: str) -> str:
    return outline.titles[language].replace("{Framework}", FRAMEWORK_NAMES.get(framework, ""))


def _toctree(entries: list[str]) -> str:
    return "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"
