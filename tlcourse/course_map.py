"""What a lesson knows of the others: their titles, the next one, the map of all, and what they show of the toolbox.

The other sources are looked through, not read as lessons, so that one which is being written stops only its own build.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tlcourse.ledger import markdown_table
from tlcourse.lessons import LESSON_NAME, lesson_number
from tlcourse.sentences import read_sentences
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS, LANGUAGES

NEXT = {"en": "**Next:** ", "es": "**Siguiente:** "}
MAP_HEADS = {"en": ["Lesson", "What it is about"], "es": ["Lección", "De qué trata"]}
SHOWS = re.compile(r'shows="([^"]*)"')
CELL = re.compile(r"^# ?%%(?P<marks>.*)\n(?P<body>(?:(?!# ?%%).*\n?)*)", re.MULTILINE)


@dataclass(frozen=True)
class Outline:
    """What can be seen of a lesson's source at a glance."""

    path: Path
    titles: dict[str, str]  # by language
    openings: dict[str, str]  # by language: what its first cell says before it lists what the lesson teaches
    shows: dict[str, tuple[str, ...]]  # by framework: tools of the package whose text it shows, in their order
    folded: frozenset[str]  # those of them that stand in cells which start folded

    @property
    def name(self) -> str:
        """The lesson's name, `NN_topic`."""
        return self.path.stem

    def about(self, language: str) -> str:
        """One line on the lesson: the question in its YAML file, else the opening of its first cell."""
        sentences = read_sentences(self.path.with_suffix(".yaml"))
        return sentences.question[language] if sentences and sentences.question else self.openings[language]

    def link(self, language: str, framework: str, folder: str = "") -> str:
        """A link to its notebook of this language and framework, which lies beside the page or in a folder."""
        title = self.titles[language].replace("{Framework}", FRAMEWORK_NAMES[framework])
        return f"[{lesson_number(self.name)} {title}]({folder}{self.name}_{framework}.ipynb)"


def read_course(sources: Path) -> list[Outline]:
    """The outlines of all lessons in the folder of sources, in their order."""
    paths = sorted(path for path in Path(sources).glob("*.py") if LESSON_NAME.fullmatch(path.stem))
    return [_read_outline(path) for path in paths]


def next_line(lesson: str, course: list[Outline], language: str, framework: str) -> str | None:
    """The link to the lesson after this one; None after the last, and for what is no lesson of the course."""
    names = [outline.name for outline in course]
    after = names.index(lesson) + 1 if lesson in names else len(names)
    return None if after == len(names) else NEXT[language] + course[after].link(language, framework)


def map_table(lesson: str, course: list[Outline], language: str, framework: str) -> str:
    """A table of all lessons but this one, each with a link and a line on what it is about."""
    others = [outline for outline in course if outline.name != lesson]
    return markdown_table(MAP_HEADS[language], [[o.link(language, framework), o.about(language)] for o in others])


def _read_outline(path: Path) -> Outline:
    cells = [(match["marks"], match["body"]) for match in CELL.finditer(path.read_text(encoding="utf-8") + "\n")]
    prose = {
        language: [
            re.sub("^# ?", "", body, flags=re.MULTILINE) for marks, body in cells if f'lang="{language}"' in marks
        ]
        for language in LANGUAGES
    }
    titles = {
        language: next((m[1] for text in texts if (m := re.search(r"^# (.+)$", text, re.MULTILINE))), path.stem)
        for language, texts in prose.items()
    }
    openings = {language: _opening(texts[0]) if texts else "" for language, texts in prose.items()}
    shown = [(marks, names.replace(",", " ").split()) for marks, _ in cells for names in SHOWS.findall(marks)]
    shows = {
        framework: tuple(
            name
            for marks, names in shown
            if f'framework="{framework}"' in marks or "framework=" not in marks
            for name in names
        )
        for framework in FRAMEWORKS
    }
    folded = frozenset(name for marks, names in shown if '"folded"' in marks for name in names)
    return Outline(path, titles, openings, shows, folded)


def _opening(text: str) -> str:
    """The whole sentences of the first paragraph that is neither the title nor the line of framework and minutes."""
    for paragraph in text.strip().split("\n\n"):
        if not paragraph.startswith(("#", "**{")):
            sentences = re.match(r"(.*[.?!][\"»”]?)(?=\s|$)", " ".join(paragraph.split()))
            return sentences[1] if sentences else ""
    return ""
