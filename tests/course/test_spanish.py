"""One word for one concept in the Spanish edition, one number format, and no word that only one country knows."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from tlcourse import parameters
from tlcourse.notebook_files import join_lines, read_notebook

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks/src").glob("*.py"))
# A word or form that the course does not use, and what it says in its place.
FORBIDDEN = {
    r"\bmarcos?\b": "biblioteca",
    r"\bla práctica de\b": "el laboratorio",
    r"\bnúcleo (del (cuaderno|notebook)|python3|llamado|y )": "kernel",
    r"\bimagen a imagen\b": "imagen por imagen",
    r"\brespuestas? (falsa|equivocada)s?\b": "errónea",
    r"\bíndice de silueta\b": "coeficiente de silueta",
    r"\bvecinos más próximos\b": "vecinos más cercanos",
    r"\bprueba de tasas\b": "prueba de rango de la tasa",
    r"\bescalado por temperatura\b": "escalado de temperatura",
    r"\bdesviación típica\b": "desviación estándar",
    r"\btransformador(es)? de visión\b": "transformer de visión",
    r"\bmemorias? intermedias?\b": "caché",
    r"\b(el|los) manual(es)?\b": "los libros",
    r"\bclases? raras?\b": "clase minoritaria",
    r"\badversari[oa]s?\b": "adversarial",
    r"\b[Pp]rogramas? de (la tasa|tasas)\b": "plan de la tasa",
    r"\bcon momento\b|\*momento\*": "momentum",
    r"\brendimiento\b": "imágenes por segundo, o exactitud",
    r"\b(muelle|coche|ordenador|listón)(e?s)?\b": "resorte, automóvil, equipo, marca",
    r"\bde media\b(?! \w*a\b)": "en promedio",
    r"\bcómo de (grande|larg|rápid)": "de qué tamaño",
    r"\ba cara o cruz\b": "sorteado con una moneda",
    r"\bhonrad[oa]s?\b": "honesto, franco",
    r"\bveces demasiado\b": "veces mayor de lo debido",
    r"¿Qué espera usted\b": "¿Qué cree que va a pasar?",
    r"\bElija todo lo que corresponda\b": "Marque todas las respuestas correctas",
    r"\bcaja de seguridad\b": "entorno aislado",
    r"(?<![\d,])\d{1,3},\d{1,2}(?![\d,])": "punto decimal",
    r"\d%": "un espacio ante %",
    r"\bnotebooks?\b": "cuaderno",
    r"(?<![{-])\bframeworks?\b(?! for|=)": "biblioteca",
    r"\bPráctica:|\b(la|una) práctica (usa|de)\b": "laboratorio",
    r"\bperillas?\b": "regulador",
    r"\bdivid\w+ por\b": "entre",
    r"\b(dos|tres) veces mayor que\b": "del doble, del triple de",
    r"\b(sub|baj)(e|en|a|an) (la|el) (exactitud|error)\b": "aumenta, reduce",
    r"\bDéles\b": "Deles",
    r"\b(tú|tus|ti|contigo|puedes|tienes|debes|quieres|verás|sabes|haces)\b": "usted",
    r"\b(podrá|sabrá|[Ee]n cada una|enumera)\n+- ": "dos puntos ante una lista",
    r"(?<![.…])[.]\)(?=\s|$)": "el punto, fuera del paréntesis",
}


def texts_in(path: Path) -> list[str]:
    """The Spanish texts of a file, without code and addresses."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py" and "# %%" not in text:
        found = list(_said(ast.parse(text)))
    elif path.suffix == ".py":
        cells = re.split(r"^# %%", text, flags=re.MULTILINE)
        heads = [cell.partition("\n") for cell in cells]
        found = [re.sub(r"^# ?", "", text, flags=re.MULTILINE) for head, _, text in heads if 'lang="es"' in head]
    elif path.suffix == ".yaml":
        found = list(_spanish(yaml.safe_load(text)))
    else:
        found = [text]
    return [re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|«[^»]{1,60}»", " ", t, flags=re.DOTALL) for t in found]


def _spanish(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "es" and isinstance(value, str):
                yield value
            else:
                yield from _spanish(value)
    elif isinstance(node, list):
        for part in node:
            yield from _spanish(part)


def _said(tree: ast.AST):
    """What a module of the package says in Spanish: the second text of `said`, and the values of `"es"`."""
    for node in ast.walk(tree):
        spanish = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "said" and len(node.args) == 2:
            spanish = [node.args[1]]
        elif isinstance(node, ast.Dict):
            spanish = [v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", None) == "es"]
        for part in spanish:
            yield from (n.value for n in ast.walk(part) if isinstance(n, ast.Constant) and isinstance(n.value, str))


FILES = [
    *(path for source in SOURCES for path in (source, source.with_suffix(".yaml")) if path.exists()),
    *sorted((ROOT / "tlhelpers/quizzes").glob("*.yaml")),
    ROOT / "docs/glosario.md",
    ROOT / "README.es.md",
    ROOT / "docs/uso.md",
    ROOT / "CONTRIBUTING.es.md",
    ROOT / "docs/calificar.md",
    ROOT / "docs/aplicaciones.md",
    ROOT / "docs/modelo_de_amenazas.md",
    ROOT / "docs/caja_de_herramientas.md",
    ROOT / "notebooks/src/toolbox.yaml",
    ROOT / "lab/README.es.md",
    ROOT / "lab/pets.yaml",
    ROOT / "lab/src/pets_lab.py",
    ROOT / "docs/afirmaciones.md",
    ROOT / "docs/fotos.md",
    *sorted((ROOT / "tlcourse/pages").glob("*.es.md")),
    *(path for name in ("tlhelpers", "tlgrade", "tlcourse", "scripts") for path in sorted((ROOT / name).rglob("*.py"))),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_concept_has_one_word_and_each_number_one_form(path):
    found = [
        f"{match[0]!r} in {' '.join(text[max(0, match.start() - 40) : match.end() + 30].split())!r}: {instead}"
        for text in texts_in(path)
        for pattern, instead in FORBIDDEN.items()
        for match in re.finditer(pattern, text)
    ]
    assert found == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_comments_of_parameters_offer_the_same_in_both_languages(source):
    """`tlcourse run` reads from a comment which values a parameter takes, and whether it takes others too."""
    english, spanish = (
        parameters.read_parameters(ROOT / f"notebooks/{language}/{source.stem}_pytorch.ipynb")
        for language in ("en", "es")
    )
    assert english.keys() == spanish.keys()
    for name, said in english.items():
        other = spanish[name]
        assert (said.default, said.choices) == (other.default, other.choices)
        signs = [any(sign in comment for sign in parameters.OPEN) for comment in (said.comment, other.comment)]
        assert signs[0] == signs[1], name
        assert not re.search(r"\b(of|the|images|how often|or|side)\b", other.comment), other.comment


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_numbers_in_outputs_have_a_decimal_point_and_a_space_before_the_percent_sign(source):
    for framework in ("pytorch", "tensorflow"):
        cells = read_notebook(ROOT / f"notebooks/es/{source.stem}_{framework}.ipynb")["cells"]
        for output in (output for cell in cells for output in cell.get("outputs", ())):
            printed = join_lines(output.get("text", output.get("data", {}).get("text/plain", "")))
            assert re.findall(r"\d%|(?<![\d,])\d{1,3},\d{1,2}(?![\d,])", printed) == [], printed
