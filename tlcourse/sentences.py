"""The words and claims of a lesson, in both languages: `notebooks/src/NN_topic.yaml` beside the lesson's source.

    question: {en: How much does it save?, es: ¿Cuánto ahorra?}     # the lesson's line in the map; may be missing
    words:                                                          # labels of figures and printed lines
      frozen: {en: frozen, es: congelada}
    claims:
      frozen_is_ahead:
        en: With ten labels a class the frozen network is ahead.
        es: Con diez etiquetas por clase la red congelada va por delante.
        at_least: 10                                                # at_least, at_most or both
        unit: {en: points, es: puntos}                              # a plain text where both languages have the same
    parameters:                                                     # their comments in Spanish; English in the source
      LABELS: imágenes etiquetadas de cada clase
    photos:                                                         # what the lesson asks of a folder of photos
      labels: [LABELS, FEW_LABELS]                                  # parameters: labelled images of each class
      image_size: IMAGE_SIZE                                        # this and what follows as it calls `load_splits`
      test_fraction: 0.4

The notebook gets them in one folded cell after its parameters, which defines `LANGUAGE`, `FRAMEWORK`, `words` and
`claim`: a cell then says `words["frozen"]` and `claim("frozen_is_ahead", 100 * (a - b))`, and no more. Where the
lesson says what it asks of a folder, that cell also looks whether `DATASET` has it, and takes fewer labels where not.
"""

import ast
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tlcourse.errors import LessonError
from tlcourse.variants import LANGUAGES

SETUP_TAG = "setup"  # of the folded cell that defines them
FREE_PARAMETERS = ("SEED",)  # claims are to hold for each seed
QUIET_START = """
from tlhelpers.quiet import import_tensorflow

import_tensorflow()  # its notes about processor and GPU look like errors, and are none
"""
SETUP_COMMENT = {
    "en": "The language, the words of figures, and the claims that cells below check. You need not read this cell.",
    "es": "El idioma, las palabras de las figuras y las afirmaciones que se comprueban abajo. No hace falta leerla.",
}
SETUP = """# {comment}
from tlhelpers.claims import lesson_claims
from tlhelpers.data.network_weights import use_pack_caches

use_pack_caches()  # pretrained networks that lie in a classroom pack are found there
LANGUAGE, FRAMEWORK = {language}, {framework}
words = {words}
claim = lesson_claims(
    {claims},
    LANGUAGE,
    asserted={asserted},
)"""

PHOTOS = """

from tlhelpers.data.enough import labels_for

{labels} = labels_for(DATASET, {labels}, {how})"""


@dataclass(frozen=True)
class Sentences:
    """What a lesson's YAML file says, checked; each text in a mapping of `en` and `es`."""

    path: Path
    question: dict[str, str] | None
    words: dict[str, dict[str, str]]
    claims: dict[str, dict]  # "en", "es", "unit" (a mapping), and "at_least" and "at_most" where they are given
    photos: dict  # what it asks of a folder of photos: "labels", and arguments of `load_splits`; may be empty
    parameters: dict[str, str]  # the comments beside the parameters, in Spanish

    def claims_in(self, language: str) -> dict[str, dict]:
        """The claims as `tlhelpers.claims.lesson_claims` takes them: the unit is a text of this language."""
        return {name: values | {"unit": values["unit"][language]} for name, values in self.claims.items()}


def read_sentences(path: Path) -> Sentences | None:
    """Reads and checks the YAML file of a lesson; None where there is none.

    Raises:
        LessonError: An unknown key, a missing language, or a claim without a bound.
    """
    try:
        found = yaml.load(Path(path).read_text(encoding="utf-8"), UniqueKeys)
    except FileNotFoundError:
        return None
    except (ValueError, yaml.YAMLError) as error:
        raise LessonError(f"{path}: expected a YAML file of words and claims, came: {error}") from None
    found = _mapping(path, "the file", found or {}, optional=("question", "words", "claims", "photos", "parameters"))
    question = found.get("question")
    return Sentences(
        path,
        None if question is None else _both(path, "question", question),
        {name: _both(path, f"words: {name}", texts) for name, texts in _named(path, "words", found).items()},
        {name: _claim(path, f"claims: {name}", values) for name, values in _named(path, "claims", found).items()},
        _named(path, "photos", found),
        _named(path, "parameters", found),
    )


def spanish_parameters(path: Path, said: dict[str, str], source: str) -> str:
    """The parameters cell with its comments in Spanish; a line of it is `NAME = value  # comment`.

    Args:
        path: Where the Spanish comments stand, for messages.
        said: They, by the parameter's name.
        source: The cell with its English comments.

    Raises:
        LessonError: A comment without its Spanish, a Spanish one without its comment, or other choices in quotation
            marks.
    """
    comments = dict(re.findall(r"^(\w+) = .*?  # (.*)$", source, re.MULTILINE))
    for name in sorted(comments.keys() | said.keys()):
        choices = [re.findall(r'"[^"]+"', texts.get(name) or "") for texts in (comments, said)]
        if name not in comments or not said.get(name) or choices[0] != choices[1]:
            expected = f"expected in Spanish what the source says, {comments.get(name)!r}, with the same choices"
            raise _fail(path, f"parameters: {name}", expected, repr(said.get(name)))
    return re.sub(r"^((\w+) = .*?  # ).*$", lambda line: line[1] + said[line[2]], source, flags=re.MULTILINE)


def setup_code(sentences: Sentences, language: str, framework: str, parameters: dict) -> str:
    """The code of the folded cell after the parameters.

    Args:
        sentences: The lesson's words and claims.
        language: The notebook's.
        framework: The notebook's.
        parameters: The lesson's default values by name; with others the claims are shown, and not asserted.
    """
    fixed = {name: value for name, value in parameters.items() if name not in FREE_PARAMETERS}
    names, values = (f"({', '.join(parts)},)" if len(parts) == 1 else f"({', '.join(parts)})" for parts in (
        list(fixed), [_literal(value) for value in fixed.values()]
    ))  # fmt: skip
    code = SETUP.format(
        comment=SETUP_COMMENT[language],
        language=_literal(language),
        framework=_literal(framework),
        words=_literal({name: texts[language] for name, texts in sentences.words.items()}),
        claims=_literal(sentences.claims_in(language), indent=4),
        asserted=f"{names} == {values}",
    )
    if sentences.photos:
        code += _photos(sentences, parameters)
    return code + ("\n" + QUIET_START.rstrip("\n") if framework == "tensorflow" else "")


def _photos(sentences: Sentences, parameters: dict) -> str:
    """The lines that fit a lesson's numbers of labels to a folder of photos."""
    labels, how = sentences.photos.get("labels"), {k: v for k, v in sentences.photos.items() if k != "labels"}
    names = [value for value in (*(labels or ()), *how.values()) if isinstance(value, str)]
    if not labels or not {"DATASET", *names} <= set(parameters):
        raise _fail(
            sentences.path, "photos", "expected labels: and values that are parameters, beside DATASET", repr(names)
        )
    return PHOTOS.format(labels=f"[{', '.join(labels)}]", how=", ".join(f"{k}={v}" for k, v in how.items()))


def read_setup(code: str) -> tuple[dict[str, str], dict[str, dict]]:
    """The words and the claims in the code that `setup_code` made."""
    found = {
        statement.targets[0].id: statement.value
        for statement in ast.parse(code).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    return ast.literal_eval(found["words"]), ast.literal_eval(found["claim"].args[0])


def strings_in(code: str) -> Iterator[str]:
    """The constant texts in a piece of code."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def check_uses(sentences: Sentences, cells: Iterable[tuple[int, str]]) -> None:
    """Refuses words and claims that a source uses and the file lacks, and those that it has and nothing uses.

    Args:
        sentences: The lesson's words and claims.
        cells: Line and code of each code cell.

    Raises:
        LessonError: The first of them, with its line where it has one.
    """
    texts, claimed = set(), set()
    for line, code in cells:
        texts |= set(strings_in(code))
        for node in ast.walk(ast.parse(code)):
            at = f"{sentences.path.with_suffix('.py')}, line {line + getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claim":
                claimed.add(_claimed(at, sentences, node))
            elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "words":
                key = node.slice.value if isinstance(node.slice, ast.Constant) else None
                if key is not None and key not in sentences.words:
                    raise LessonError(
                        f"{at}: expected one of the words of {sentences.path.name}, came {key!r}. Add it there."
                    )
    for kind, names, used in (("words", sentences.words, texts), ("claims", sentences.claims, claimed)):
        for name in names:
            if name not in used:
                raise LessonError(
                    f"{sentences.path}: expected {kind} that {sentences.path.stem}.py uses, came {name!r}, which it "
                    "does not use. Use it, or take it away."
                )


def _claimed(at: str, sentences: Sentences, call: ast.Call) -> str:
    """The name in a call of `claim`."""
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    if len(call.args) != 2 or call.keywords or not isinstance(name, str):
        raise LessonError(
            f'{at}: expected claim("name", value), came {ast.unparse(call)[:60]!r}. '
            f"Sentence, bound and unit stand in {sentences.path.name}."
        )
    if name not in sentences.claims:
        raise LessonError(f"{at}: expected one of the claims of {sentences.path.name}, came {name!r}. Add it there.")
    return name


def _claim(path: Path, where: str, values) -> dict:
    values = _mapping(path, where, values, needed=LANGUAGES, optional=("at_least", "at_most", "unit"))
    checked = _both(path, where, {language: values[language] for language in LANGUAGES})
    bounds = {side: values[side] for side in ("at_least", "at_most") if side in values}
    for side, bound in bounds.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
            raise _fail(path, where, f"expected a number for {side}", repr(bound))
    if not bounds:
        raise _fail(path, where, "expected at_least: or at_most: with a number", "neither")
    if bounds.get("at_least", -math.inf) > bounds.get("at_most", math.inf):
        raise _fail(path, where, "expected at_least: not above at_most:", f"{bounds}; no number meets both")
    unit = values.get("unit", "")
    unit = dict.fromkeys(LANGUAGES, unit) if isinstance(unit, str) else _both(path, f"{where}: unit", unit)
    return checked | bounds | {"unit": unit}


def _both(path: Path, where: str, texts) -> dict[str, str]:
    """A text in both languages, without the line breaks of the file."""
    _mapping(path, where, texts, needed=LANGUAGES)
    for language, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise _fail(path, where, f"expected a text for {language}", f"{text!r}. Put it between quotation marks")
    return {language: texts[language].strip("\n") for language in LANGUAGES}


def _named(path: Path, key: str, found: dict) -> dict:
    names = found.get(key) or {}
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names):
        raise _fail(path, key, "expected names with their texts below", repr(names))
    return names


def _mapping(path: Path, where: str, values, needed: tuple = (), optional: tuple = ()) -> dict:
    if not isinstance(values, dict):
        raise _fail(path, where, f"expected {', '.join(needed or optional)} below", repr(values))
    for key in values:
        if key not in needed + optional:
            raise _fail(path, where, f"expected only {', '.join(needed + optional)}", repr(key))
    for key in needed:
        if key not in values:
            raise _fail(path, where, f"expected {key}:", "none")
    return values


def _fail(path: Path, where: str, expected: str, came: str) -> LessonError:
    return LessonError(f"{path}, {where}: {expected}, came {came}.")


def _literal(value, indent: int = 0) -> str:
    """A value as Python source; mappings with one key a line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or not value:
        return repr(value)
    pad = " " * indent
    lines = [f"{pad}    {_literal(key)}: {_literal(item, indent + 4)},\n" for key, item in value.items()]
    return "{\n" + "".join(lines) + pad + "}"


class UniqueKeys(yaml.SafeLoader):
    """YAML's own loader takes the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """A mapping whose keys differ."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)
