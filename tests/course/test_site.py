"""The site as its readers have it: built from the committed notebooks, crawled, and opened in a browser from a disk."""

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tlcourse.captions import read_caption
from tlcourse.site_sources import NOWHERE, Host, Layout, find_pages, read_host

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "es")
LESSON, LAB = "01_cats_vs_dogs_pytorch", "pets_lab_tensorflow"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
needs_sphinx = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("sphinx", "myst_nb", "pydata_sphinx_theme")),
    reason="the pages are made by tlcourse[site], which is not installed",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, "-m", "tlcourse", "site", "--zip", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr  # a warning of Sphinx makes it fail
    return out


class Html(HTMLParser):
    """What a page has that can be pointed at, what it points to, what it loads, and its pictures."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads, self.pictures = {""}, [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        self.loads += [found[key] for key in ("src", "href") if key in found and tag in ("script", "link", "img")]
        if tag == "img":
            self.pictures.append(found)


@pytest.fixture(scope="module")
def pages(site):
    return {path: Html(path) for path in [site / "index.html", *site.glob("??/*.html")]}


@needs_sphinx
def test_every_lesson_is_there_in_both_languages_and_frameworks(site):
    for language in LANGUAGES:
        for notebook in (ROOT / "notebooks" / language).glob("*.ipynb"):
            assert (site / language / f"{notebook.stem}.html").is_file()


@needs_sphinx
def test_all_links_lead_somewhere(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (target in pages and unquote(parts.fragment) not in pages[target].anchors):
                broken.append(f"{path.parent.name}/{path.name}: {link}")
    assert not broken


@needs_sphinx
def test_every_figure_says_what_it_shows(pages):
    figures = [(path, one["alt"]) for path, page in pages.items() for one in page.pictures]
    assert len(figures) > 400
    assert [(path.name, alt) for path, alt in figures if len(alt) < 20 or "_images" in alt] == []
    spanish = " ".join(alt for path, alt in figures if path.parent.name == "es" and path.name.startswith("01"))
    assert "imágenes" in spanish
    assert "images" not in spanish


@needs_sphinx
def test_a_language_fits_a_small_stick(site):
    for language in LANGUAGES:
        assert sum(path.stat().st_size for path in (site / language).rglob("*") if path.is_file()) < 40e6
    with zipfile.ZipFile(f"{site}.zip") as packed:
        assert {"site/index.html", "site/en/index.html", "site/es/index.html"} <= set(packed.namelist())


@needs_sphinx
def test_a_notebook_to_download_is_the_committed_one_without_outputs(site):
    for language in LANGUAGES:
        came = json.loads((site / language / "notebooks" / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
        built = json.loads((ROOT / "notebooks" / language / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
        assert [cell["source"] for cell in came["cells"]] == [cell["source"] for cell in built["cells"]]
        assert not any(cell.get("outputs") for cell in came["cells"])


@needs_sphinx
def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "tlcourse", "site", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "other files" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_open_the_notebook_where_the_repository_is_published(language, tmp_path):
    host, found = Host("https://github.com/some/course", "main"), {}
    for name, where in (("published", host), ("nowhere", NOWHERE)):
        Layout(ROOT, find_pages(ROOT), language, where, tmp_path / name).write()
        bars = json.loads((tmp_path / name / "about.json").read_text(encoding="utf-8"))["bars"]
        found[name] = [link["href"] for link in bars[LESSON]]
    notebook = f"notebooks/{language}/{LESSON}.ipynb"
    assert set(found["published"]) - set(found["nowhere"]) == {
        f"https://colab.research.google.com/github/some/course/blob/main/{notebook}",
        f"https://mybinder.org/v2/gh/some/course/main?urlpath=lab/tree/{notebook}",
    }
    assert not any(address.startswith("http") for address in found["nowhere"])


def test_where_the_repository_is_published_stands_in_pyproject(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n\n[tool.tlcourse]\nrepository = "https://github.com/a"\nbranch = "c"\n')
    assert read_host(tmp_path) == Host("https://github.com/a", "c")
    project.write_text('[project]\nname = "x"\n')
    assert not read_host(tmp_path)


def test_a_caption_is_the_italic_beginning():
    assert read_caption("*One `picture` of\n[each](x.md) class.* More.\n\nMore.") == "One picture of each class."
    assert read_caption("**Your turn.** Look.") == ""
    assert read_caption("Look *here*.") == ""
    assert read_caption("") == ""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="tlcourse[site] is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with playwright.sync_playwright() as drivers:
        try:
            opened = drivers.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium that starts: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def reader(browser, site):
    """A tab; whatever it asks from elsewhere than the disk, and every error of a script, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", offline=True)
    tab, wrong = context.new_page(), []
    tab.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))
    tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.visit = lambda page: tab.goto((site / page).as_uri())
    yield tab
    context.close()
    assert wrong == []


@needs_sphinx
@pytest.mark.parametrize(("language", "word"), [("en", "calibration"), ("es", "congelar")])
def test_search_finds_a_word(reader, language, word):
    reader.visit(f"{language}/index.html")
    assert reader.locator("input[type=search]:visible").count() == 0  # one field, and it opens when asked for
    reader.locator(".search-button__button:visible").first.click()
    reader.locator("#pst-search-dialog input").fill(word)
    reader.keyboard.press("Enter")
    reader.locator("#search-results .search li a").first.wait_for()
    found = reader.locator("#search-results .search li a")
    assert found.count() >= 3
    found.first.click()
    assert word[:6] in reader.locator("article").inner_text().lower()


@needs_sphinx
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_quiz_answers(reader, language):
    reader.visit(f"{language}/{LESSON}.html")
    question = reader.locator(".Quiz").first
    assert question.locator(".Feedback").inner_text() == ""
    question.locator(".MCButton[data-correct=false]").first.click()
    wrong = question.locator(".Feedback").inner_text()
    question.locator(".MCButton[data-correct=true]").click()
    right = question.locator(".Feedback").inner_text()
    assert wrong
    assert right
    assert wrong != right


@needs_sphinx
@pytest.mark.parametrize(("language", "name"), [("en", "Solution"), ("es", "Solución")])
def test_a_solution_waits_folded(reader, language, name):
    reader.visit(f"{language}/{LESSON}.html")
    fold = reader.locator(".tag_solution details").first
    code = fold.locator("pre").first
    assert not code.is_visible()
    fold.get_by_text(name, exact=True).click()
    assert code.is_visible()
    assert reader.locator(".tag_solution pre:visible").count() == fold.locator("pre").count()  # others stay folded


@needs_sphinx
def test_dark_mode_keeps_figures_on_a_light_ground(reader):
    reader.visit(f"en/{LESSON}.html")
    ground = "element => getComputedStyle(element).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
    assert min(reader.locator("body").evaluate(ground)) > 200
    reader.emulate_media(color_scheme="dark")
    reader.reload()
    assert max(reader.locator("body").evaluate(ground)) < 60
    assert min(reader.locator(".cell_output img").first.evaluate(ground)) > 180
    reader.locator(".theme-switch-container:visible button, button.theme-switch-button:visible").first.click()
    reader.get_by_role("button", name="Light").click()
    assert min(reader.locator("body").evaluate(ground)) > 200


@needs_sphinx
def test_language_and_framework_can_be_switched_on_the_page(reader):
    reader.visit(f"en/{LESSON}.html")
    reader.get_by_text("The same in TensorFlow").click()
    reader.wait_for_url("**/en/01_cats_vs_dogs_tensorflow.html")
    reader.get_by_text("En español").click()
    reader.wait_for_url("**/es/01_cats_vs_dogs_tensorflow.html")
    assert reader.locator("html").get_attribute("lang") == "es"
    reader.locator("a.right-next").click()
    reader.wait_for_url("**/es/02a_*_tensorflow.html")


@needs_sphinx
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", ["index", LESSON, LAB])
def test_nothing_is_cut_off_on_a_phone(reader, language, page):
    reader.set_viewport_size({"width": 390, "height": 844})
    reader.visit(f"{language}/{page}.html")
    assert reader.evaluate("document.documentElement.scrollWidth") <= 390
    cut = """[...document.querySelectorAll("article pre, article table, article img")].filter(element => {
      if (!element.offsetParent) return false;
      for (let box = element; box.tagName !== "ARTICLE"; box = box.parentElement)
        if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
      return element.getBoundingClientRect().right > 390;
    }).map(element => element.outerHTML.slice(0, 200))"""
    assert reader.evaluate(cut) == []


@needs_sphinx
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", ["index", LESSON, LAB])
def test_axe_finds_no_barrier(reader, language, page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="tlcourse[site] is not installed").Axe()
    for scheme in ("light", "dark"):
        reader.emulate_media(color_scheme=scheme)
        reader.visit(f"{language}/{page}.html")
        reader.locator(".Quiz, .course-bar").first.wait_for()
        reader.wait_for_function("document.getAnimations().length === 0")  # colours fade when the mode changes
        found = axe.run(reader, options={"runOnly": LEVELS, "preload": False}).response  # preload asks for files again
        assert len(found["passes"]) > 15
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []
