"""Writes docs/photos.md and docs/fotos.md: what each claim measured on drawings, and on real photos.

    .venv/bin/tlcourse run LESSON -f notebooks/params/photos.yaml --out results/photos
    .venv/bin/python scripts/photos_page.py [results/photos]

The drawings' numbers are those of the committed notebooks; the photos' come from runs with `params/photos.yaml`, of one
framework or both. Bounds were set for drawings: where a claim does not hold on photos, that is a finding.
"""

import sys
from dataclasses import replace
from pathlib import Path

from tlcourse.ledger import NOTHING, markdown_table
from tlcourse.lessons import lesson_number
from tlcourse.notebook_files import read_notebook
from tlcourse.records import collect
from tlcourse.sentences import read_sentences
from tlcourse.variants import FRAMEWORK_NAMES
from tlhelpers.claims import Claim
from tlhelpers.paths import atomic_path

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"en": "photos.md", "es": "fotos.md"}
HEADS = {
    "en": "# The lessons' claims on real photos\n\nIn Spanish: [fotos.md](fotos.md). Written by "
    "`scripts/photos_page.py`. The network is `efficientnet_lite0` at 224 pixels, with ImageNet's weights; below each "
    "lesson's name stands what its run was given. The bounds were set for drawn pets. Where a claim does not hold on "
    "photos, its sentence is one about drawings. One run each: a number has the spread that "
    "[claims_over_seeds.md](claims_over_seeds.md) gives for drawings, or more.",
    "es": "# Las afirmaciones de las lecciones con fotos reales\n\nEn inglés: [photos.md](photos.md). Lo escribe "
    "`scripts/photos_page.py`. La red es `efficientnet_lite0` a 224 píxeles, con los pesos de ImageNet; bajo el nombre "
    "de cada lección está lo que recibió su ejecución. Las cotas se fijaron con mascotas dibujadas. Si una afirmación "
    "no se cumple con fotos, su frase habla de dibujos. Una ejecución de cada lección: cada número tiene la dispersión "
    "que [claims_over_seeds.md](claims_over_seeds.md) (en inglés) da para los dibujos, o más.",
}
CHANGES = {
    "en": "**What changes against the drawings.** ImageNet's network has seen cats, dogs and many breeds: a head on "
    "its frozen features is near its best with few labels. So what costs many points on drawings costs few on "
    "photos (wrong pixels, copies in the test, a rare class), the lead over training from scratch hardly "
    "shrinks with more labels, and with few labels training all of the network gains nothing on photos: in "
    "these runs it is behind (on the drawn cats and dogs of 03b it is ahead). BatchNorm left awake while a head "
    "is trained costs more than on drawings; awake in use it costs less, and so it does in fine-tuning (03b). "
    "And what a blur, a covered patch or one's own boxes show depends on the network: the lessons say so of "
    "their own. In lesson 12 the head on the maps learns the turn in the run of one framework and not in that "
    "of the other: such short runs do not decide it. Lesson 02a trained for 60 steps at most and with one seed: "
    "what stands there of copied and frozen stages, and of shuffled tiles, is a trial, no verdict; in both the two "
    "frameworks differ.",
    "es": "**Qué cambia respecto a los dibujos.** La red de ImageNet ha visto gatos, perros y muchas razas: con pocas "
    "etiquetas, una cabeza sobre sus características congeladas ya está cerca de lo mejor. Por eso, lo que con "
    "dibujos cuesta muchos puntos cuesta pocos con fotos (píxeles mal preparados, copias en la prueba, una "
    "clase minoritaria), la ventaja sobre el entrenamiento desde cero apenas se reduce con más etiquetas, y, con pocas "
    "etiquetas, entrenar toda la red no gana nada con fotos: en estas ejecuciones queda por detrás (con los "
    "gatos y perros dibujados de 03b va por delante). Dejar BatchNorm despierta mientras se entrena una "
    "cabeza cuesta más que con dibujos; en el uso cuesta menos, y también en el ajuste fino (03b). Y lo que "
    "muestran un desenfoque, un parche tapado o los recuadros propios depende de la red: las lecciones lo dicen de "
    "la suya. En la lección 12, la cabeza sobre los mapas aprende el giro en la ejecución de una biblioteca y "
    "no en la de la otra: ejecuciones tan cortas no lo deciden. La lección 02a entrenó 60 pasos como mucho y "
    "con una semilla: lo que allí se lee sobre etapas copiadas y congeladas, y sobre cuadros barajados, es un "
    "ensayo, no un veredicto; en ambas cosas difieren las dos bibliotecas.",
}
GIVEN = {"en": "Given", "es": "Recibió"}
COLUMNS = {
    "en": ("Claim", "Drawings", "Photos", "Bound", "Holds on photos", "yes", "**no**"),
    "es": ("Afirmación", "Dibujos", "Fotos", "Cota", "Se cumple con fotos", "sí", "**no**"),
}
OWN_PICTURES = {
    "en": "This lesson makes its own pictures, since it has to know what is in them: here the network alone is the "
    "true one, and the column of photos has what it measured.",
    "es": "Esta lección hace sus propias imágenes, porque tiene que saber qué hay en ellas: aquí solo la red es la "
    "verdadera, y la columna de las fotos da lo que midió con ella.",
}
NO_PICTURES = {
    "en": "`photos.yaml` gives this lesson nothing: it is about words, and photos change nothing in it.",
    "es": "`photos.yaml` no le da nada: esta lección trata de palabras, y en ella las fotos no cambian nada.",
}
HELD = {
    "en": "{} of {} claims hold on photos as well; in lessons that make their own pictures {} of {} hold with the "
    "network of ImageNet.",
    "es": "Con fotos se cumplen {} de {}; en las lecciones que hacen sus propias imágenes se cumplen {} de {} con la "
    "red de ImageNet.",
}


def make_page(language: str, notebooks: Path, photos: list[Path]) -> str:
    """The page of one language; a lesson and framework without a run on photos has no table."""
    parts, counts = [HEADS[language]], [0, 0, 0, 0]  # held and all on photos, held and all on other pictures
    found = {key_of(path): path for path in photos}
    for (lesson, framework), path in sorted(found.items()):
        drawn = by_name(notebooks / "en" / f"{lesson}_{framework}.ipynb")
        said = read_sentences(notebooks / "src" / f"{lesson}.yaml").claims_in(language)
        sentence, drawings, on_photos, bound, holds, yes, no = COLUMNS[language]
        today = {  # with the bounds of the lesson as it is now
            name: replace(claim, **{key: said[name].get(key) for key in ("unit", "at_least", "at_most")})
            for name, claim in by_name(path).items()
            if name in said
        }
        rows = [
            [
                said[name][language],
                replace(drawn[name], unit=claim.unit).measured if name in drawn else NOTHING,
                claim.measured,
                claim.bound,
                yes if claim.passed else no,
            ]
            for name, claim in today.items()
        ]
        notebook = f"../notebooks/{language}/{lesson}_{framework}.ipynb"
        link = f"[{lesson_number(lesson)}, {FRAMEWORK_NAMES[framework]}]({notebook})"
        given = read_notebook(path)["metadata"]["papermill"]["parameters"]
        if not given:
            parts.append(f"## {link}\n\n{NO_PICTURES[language]}")
            continue
        own = not {"DATASET", "REAL_PHOTOS"} & given.keys()
        counts[2 * own] += sum(claim.passed for claim in today.values())
        counts[2 * own + 1] += len(today)
        given = ", ".join(f"`{name}` {value}" for name, value in sorted(given.items()))
        table = markdown_table([sentence, drawings, on_photos, bound, holds], rows)
        parts.append(f"## {link}\n\n{GIVEN[language]}: {given}.{f' {OWN_PICTURES[language]}' * own}\n\n{table}")
    parts[1:1] = [HELD[language].format(*counts), CHANGES[language]]
    return "\n\n".join(parts) + "\n"


def by_name(notebook: Path) -> dict[str, Claim]:
    """A notebook's claims; of one that comes several times the last."""
    return {claim.name: claim for claim in collect([notebook], asserted=False)}


def key_of(notebook: Path) -> tuple[str, str]:
    """Lesson and framework of an executed notebook."""
    claim = collect([notebook], asserted=False)[0]
    return claim.lesson, claim.framework


def main(argv: list[str]) -> int:
    """Writes both pages."""
    folder = Path(argv[0] if argv else ROOT / "results" / "photos")
    photos = [path for path in sorted(folder.glob("*.ipynb")) if collect([path], asserted=False)]
    if not photos:
        print(f"expected executed notebooks with claims in {folder}, found none", file=sys.stderr)
        return 1
    for language, name in PAGES.items():
        with atomic_path(ROOT / "docs" / name) as temporary:
            temporary.write_text(make_page(language, ROOT / "notebooks", photos), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
