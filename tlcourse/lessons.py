"""Reads a lesson's source and refuses one in which a language or a framework is missing.

A lesson is a percent script, `notebooks/src/NN_topic.py`. Each cell begins with a line such as

    # %% [markdown] lang="en"                       prose; its lang="es" partner stands right after or before it
    # %% tags=["parameters"]                        code or prose shared by all notebooks (prose needs a lang)
    # %% tags=["solution"]                          the answer to an exercise: it runs, and starts folded
    # %% tags=["folded"]                            code that a learner need not read: it starts folded
    # %% framework="pytorch"                        code of one framework; its partner stands beside it
    # %% framework="pytorch" shows="tlhelpers.pytorch.training.fit"      the text of tools of the package, then its own
    # %% [markdown] lang="en" framework="pytorch"   prose of both: all four stand together

Exactly one code cell has the tag `parameters`. It holds only lines `NAME = constant`, so that a parameter given to the
runner replaces a value and nothing else. What the builder puts in:

- beside `NN_topic.py` may stand `NN_topic.yaml`, words and claims in both languages (see `tlcourse.sentences`): then a
  folded cell after the parameters defines `LANGUAGE`, `FRAMEWORK`, `words` and `claim`;
- without it, `LANGUAGE = "en"` in the parameters cell becomes the notebook's language, and a line
  `FRAMEWORK = "pytorch"` in a shared code cell its framework;
- in prose `{framework}`, `{Framework}` and `{language}` become `pytorch`, `PyTorch` and `en`;
- in prose `{map}` becomes a table of the other lessons;
- a last cell links to the next lesson.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tlcourse.errors import LessonError
from tlcourse.sentences import Sentences, read_sentences
from tlcourse.source_cells import PARAMETERS_TAG, SourceCell, read_cells
from tlhelpers.errors import DataNotFoundError, UnknownNameError

LESSON_NAME = re.compile(r"\d\d[a-z]?_[a-z0-9]+(_[a-z0-9]+)*")  # such as 01_cats_vs_dogs, 02a_layers


@dataclass(frozen=True)
class Lesson:
    """A lesson's source, read and checked."""

    name: str
    path: Path
    cells: tuple[SourceCell, ...]
    sentences: Sentences | None = None  # of the YAML file beside it

    @property
    def parameters(self) -> dict:
        """The default values of its parameters, by name."""
        (cell,) = (cell for cell in self.cells if PARAMETERS_TAG in cell.tags)
        return {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(cell.source).body}


def find_notebooks(start: Path | None = None) -> Path:
    """The folder `notebooks` of the course: above `start` (default: the current folder), else beside the package.

    Raises:
        DataNotFoundError: No such folder, as with a package that was installed without the course.
    """
    start = Path.cwd() if start is None else Path(start).resolve()
    for folder in (start, *start.parents, Path(__file__).resolve().parents[1]):
        if (folder / "notebooks" / "src").is_dir():
            return folder / "notebooks"
    raise DataNotFoundError(
        f"Expected the folder notebooks/src in {start} or above it, and found none. "
        "Go to the folder of the course (the clone of its repository) and try again."
    )


def pick_sources(notebooks: Path, wanted: list[str]) -> list[Path]:
    """The sources of the lessons that names or numbers (`01`, `01_cats_vs_dogs`) stand for; all for none.

    Raises:
        UnknownNameError: No such lesson.
        DataNotFoundError: No lesson at all.
    """
    sources = {path.stem: path for path in sorted((Path(notebooks) / "src").glob("*.py"))}
    if not sources:
        raise DataNotFoundError(f"Expected lessons NN_topic.py in {notebooks}/src, and there are none.")
    by_number = {lesson_number(name): name for name in sources}
    picked = []
    for name in wanted:
        name = by_number.get(name if len(name) > 1 and name[1].isdigit() else f"0{name}", name)
        if name not in sources:
            raise UnknownNameError("lesson", name, sources)
        picked.append(sources[name])
    return picked or list(sources.values())


def lesson_number(name: str) -> str:
    """The number at the head of a lesson's name, with its letter where a subject has two lessons: `01`, `02a`."""
    return name.split("_")[0]


def lesson_name(path: Path) -> str:
    """The lesson's name, `NN_topic`.

    Raises:
        LessonError: The file is named in another way.
    """
    if path.suffix == ".py" and LESSON_NAME.fullmatch(path.stem):
        return path.stem
    raise LessonError(
        f"{path}: expected a file name NN_topic.py (two digits, perhaps a letter, an underscore, then small letters, "
        f"digits and underscores), came {path.name!r}. Rename the file, for example to 01_cats_vs_dogs.py."
    )


def read_lesson(path: Path) -> Lesson:
    """Reads and checks one lesson's source.

    Raises:
        LessonError: The source is refused; the message names file and line, what was expected, and what to do.
    """
    path = Path(path)
    name = lesson_name(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LessonError(f"{path}: expected a lesson's source, and there is no such file.") from None
    except UnicodeDecodeError as error:
        raise LessonError(f"{path}: expected UTF-8 text, and {error}. Save the file as UTF-8.") from None
    sentences = read_sentences(path.with_suffix(".yaml"))
    return Lesson(name, path, read_cells(path, text, sentences), sentences)
