"""One word for one concept in the Spanish edition, one number format, and no word that only one country knows."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks/src").glob("*.py"))
# A word or form that the course does not use, and what it says in its place.
FORBIDDEN = {
    r"\bmarcos?\b": "biblioteca",
    r"\bla práctica de\b": "el laboratorio",
    r"\bnúcleo del (cuaderno|notebook)\b": "kernel",
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
}


def texts_in(path: Path) -> list[str]:
    """The Spanish texts of a file, without code, formulas and addresses."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        cells = re.split(r"^# %%", text, flags=re.MULTILINE)
        found = [re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in cells if 'lang="es"' in cell.split("\n")[0]]
    elif path.suffix == ".yaml":
        found = list(_spanish(yaml.safe_load(text)))
    else:
        found = [text]
    return [
        re.sub(r"```.*?```|`[^`]*`|\$\$?[^$]*\$\$?|\]\([^)]*\)|«[^»]{1,60}»", " ", t, flags=re.DOTALL) for t in found
    ]


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


FILES = [
    *(path for source in SOURCES for path in (source, source.with_suffix(".yaml")) if path.exists()),
    *sorted((ROOT / "tlhelpers/quizzes").glob("*.yaml")),
    ROOT / "docs/glosario.md",
    ROOT / "README.es.md",
    ROOT / "CONTRIBUTING.es.md",
    ROOT / "docs/calificar.md",
    ROOT / "docs/aplicaciones.md",
    ROOT / "docs/modelo_de_amenazas.md",
    ROOT / "notebooks/src/toolbox.yaml",
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_concept_has_one_word_and_each_number_one_form(path):
    found = [
        f"{match[0]!r} in {' '.join(text[max(0, match.start() - 40) : match.end() + 30].split())!r}: {instead}"
        for text in texts_in(path)
        for pattern, instead in FORBIDDEN.items()
        for match in re.finditer(pattern, text)
    ]
    assert found == []
