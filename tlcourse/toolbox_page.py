"""docs/toolbox.md and docs/caja_de_herramientas.md: each tool that a lesson shows, a reference for one's own projects.

Written from the sources: the English sentence is the first of a tool's docstring, the Spanish one stands in
`notebooks/src/toolbox.yaml` (`training.fit: Entrena hasta que ...`), without the framework in its name.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

import yaml

from tlcourse import toolbox_text
from tlcourse.course_map import Outline, read_course
from tlcourse.errors import LessonError
from tlcourse.toolbox_text import Tool, read_tool
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS, LANGUAGES
from tlhelpers.paths import atomic_path

SENTENCES = "toolbox.yaml"
PAGES = {"en": "toolbox.md", "es": "caja_de_herramientas.md"}
HEADS = {
    "en": """# The toolbox

In Spanish: [caja_de_herramientas.md](caja_de_herramientas.md). Written by `tlcourse build` from the sources.

These are the tools that the lessons build in front of you. In a project of your own, import one from its module:

```python
from tlhelpers.pytorch.training import fit  # or tlhelpers.tensorflow.…
```

Or copy its text from the linked file: each tool needs only its framework and the other tools here. Models are plain
`nn.Module` and `keras.Model`, so that everything fits with code that knows nothing of this course.

## Tools""",
    "es": """# La caja de herramientas

En inglés: [toolbox.md](toolbox.md). La escribe `tlcourse build` a partir de las fuentes.

Estas son las herramientas que las lecciones construyen ante usted. En un proyecto suyo, importe cada una de su módulo:

```python
from tlhelpers.pytorch.training import fit  # o tlhelpers.tensorflow.…
```

O copie su texto del archivo enlazado: cada herramienta necesita solo su biblioteca y las demás de esta página. Los
modelos son `nn.Module` y `keras.Model` corrientes, así que todo encaja con código que no sabe nada de este curso.

## Herramientas""",
}
WORDS = {
    "en": {
        "both": "Both frameworks",
        "built": "Built in",
        "source": "source",
        "folded": "## Inside of the networks\n\nDefinitions and the reading of weights, which the lessons show folded.",
    },
    "es": {
        "both": "Ambas bibliotecas",
        "built": "Se construye en",
        "source": "fuente",
        "folded": "## Dentro de las redes\n\nDefiniciones y lectura de pesos, que las lecciones muestran plegadas.",
    },
}


@dataclass(frozen=True)
class Entry:
    """One tool of the page, in the frameworks that have it; None stands for both."""

    name: str  # such as training.fit
    tools: dict[str | None, tuple[Tool, Outline]]  # with the first lesson that shows it

    @property
    def folded(self) -> bool:
        """Whether that lesson shows it folded."""
        return all(tool.name in outline.folded for tool, outline in self.tools.values())


def make_pages(notebooks: Path) -> dict[Path, str]:
    """The two pages by their paths; none while no lesson shows a tool.

    Args:
        notebooks: The folder with `src`; `docs` lies beside it.

    Raises:
        LessonError: A tool has no docstring or no Spanish sentence, or a sentence is of no tool that exists.
    """
    sentences = _read_sentences(notebooks / "src" / SENTENCES)
    entries = _entries(read_course(notebooks / "src"))
    for entry in entries:
        if entry.name not in sentences:
            raise LessonError(
                f"{notebooks / 'src' / SENTENCES}: expected a Spanish sentence for {entry.name}, which a lesson shows, "
                f'came none. Add a line "{entry.name}: ..."'
            )
    if not entries:
        return {}
    return {notebooks.parent / "docs" / PAGES[language]: _page(entries, sentences, language) for language in LANGUAGES}


def write_pages(notebooks: Path) -> list[Path]:
    """Writes the pages, and returns their paths."""
    pages = make_pages(notebooks)
    for path, text in pages.items():
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return list(pages)


def check_pages(notebooks: Path) -> list[str]:
    """The pages that are not as the sources give them, one readable line each."""
    pages = make_pages(notebooks)
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return [f"{path}: is not what the sources give" for path in stale]


def _read_sentences(path: Path) -> dict[str, str]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise LessonError(f"{path}: expected lines `module.tool: sentence`, came: {error}") from None
    for name, sentence in found.items():
        if not isinstance(sentence, str) or not sentence.strip():
            raise LessonError(f"{path}: expected a Spanish sentence for {name}, came {sentence!r}.")
        _read_any(path, name)
    return found


def _read_any(path: Path, name: str) -> Tool:
    """The tool of that name in the first package that has it."""
    problems = []
    for package in ("tlhelpers.pytorch", "tlhelpers.tensorflow", "tlhelpers"):
        try:
            return read_tool(f"{package}.{name}")
        except LessonError as error:
            problems.append(str(error))
    raise LessonError(f"{path}: {name} is no tool: {problems[0]}")


def _entries(course: list[Outline]) -> list[Entry]:
    """The tools in the order in which the lessons show them; what is no function or class, or private, is left out."""
    entries: dict[str, Entry] = {}
    for outline in course:
        for framework in FRAMEWORKS:
            for tool in map(read_tool, outline.shows[framework]):
                if tool.kind == "constant" or tool.short.startswith("_"):
                    continue
                parts = tool.name.split(".")[1:]
                own = framework if parts[0] == framework else None
                name = ".".join(parts[1:] if own else parts)
                entries.setdefault(name, Entry(name, {})).tools.setdefault(own, (tool, outline))
    return list(entries.values())


def _page(entries: list[Entry], sentences: dict[str, str], language: str) -> str:
    tools, inside = ([entry for entry in entries if entry.folded == folded] for folded in (False, True))
    parts = [HEADS[language], *(_section(entry, sentences, language) for entry in tools)]
    if inside:
        parts += [WORDS[language]["folded"], *(_section(entry, sentences, language) for entry in inside)]
    return "\n\n".join(parts) + "\n"


def _section(entry: Entry, sentences: dict[str, str], language: str) -> str:
    words, parts = WORDS[language], [f"### {entry.name}"]
    first = next(iter(entry.tools.values()))[0]
    parts.append(sentences[entry.name] if language == "es" else _first_sentence(first))
    for framework, (tool, outline) in entry.tools.items():
        label = FRAMEWORK_NAMES.get(framework, words["both"])
        source = f"[{words['source']}](../{tool.path.relative_to(toolbox_text.PACKAGES).as_posix()})"
        link = outline.link(language, framework or FRAMEWORKS[0], f"../notebooks/{language}/")
        parts.append(f"**{label}** · {words['built']} {link} · {source}\n\n```python\n{_signature(tool)}\n```")
    return "\n\n".join(parts)


def _first_sentence(tool: Tool) -> str:
    docstring = ast.get_docstring(tool.node)
    if not docstring:
        raise LessonError(
            f"{tool.path}: expected a docstring of {tool.short}, which the toolbox's page says, came none."
        )
    return " ".join(docstring.split("\n\n")[0].split())


def _signature(tool: Tool) -> str:
    """The lines of a function's head, or of a class and of its `__init__`, as they stand in the file."""
    if isinstance(tool.node, ast.FunctionDef):
        return _head(tool, tool.node)
    made = [part for part in tool.node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    return "\n".join([_head(tool, tool.node), *(_head(tool, part) for part in made)])


def _head(tool: Tool, node: ast.FunctionDef | ast.ClassDef) -> str:
    lines = tool.path.read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[node.lineno - 1 : max(node.body[0].lineno - 1, node.lineno)]).rstrip().removesuffix(":")
