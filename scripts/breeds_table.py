"""Writes the tables of breeds into docs/applications.md and docs/aplicaciones.md: which Oxford pets ImageNet names.

    .venv/bin/python scripts/breeds_table.py              the table of breeds; needs nothing
    .venv/bin/python scripts/breeds_table.py --measure    also what the network says; needs the photos, and PyTorch

What stands between each pair of markers is replaced; no count is typed by hand. The pairing of names is a judgement, so
it stands below, by WordNet's numbers, and a word that only covers a breed is kept apart from one that is the breed.
"""

import argparse
import sys
import textwrap
from pathlib import Path

import numpy as np

from tlcourse.ledger import markdown_table
from tlhelpers import metrics
from tlhelpers.drawn_pets import BREEDS
from tlhelpers.numbers import percent
from tlhelpers.paths import atomic_path
from tlhelpers.plots import class_words
from tlhelpers.weights import imagenet_classes, tiny_imagenet_classes

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"en": ROOT / "docs/applications.md", "es": ROOT / "docs/aplicaciones.md"}
CATS, DOGS = slice(281, 286), slice(151, 269)  # where ImageNet's thousand have the domestic cats and the breeds of dogs

# A breed's own word in ImageNet; Oxford's names as `oxford_pets_breeds` gives them.
SAME = {
    "Basset Hound": "n02088238",
    "Beagle": "n02088364",
    "Boxer": "n02108089",
    "Chihuahua": "n02085620",
    "English Cocker Spaniel": "n02102318",
    "English Setter": "n02100735",
    "German Shorthaired": "n02100236",
    "Great Pyrenees": "n02111500",
    "Japanese Chin": "n02085782",
    "Keeshond": "n02112350",
    "Leonberger": "n02111129",
    "Miniature Pinscher": "n02107312",
    "Newfoundland": "n02111277",
    "Pomeranian": "n02112018",
    "Pug": "n02110958",
    "Saint Bernard": "n02109525",
    "Samoyed": "n02111889",
    "Scottish Terrier": "n02097298",
    "Staffordshire Bull Terrier": "n02093256",
    "Wheaten Terrier": "n02098105",
    "Yorkshire Terrier": "n02094433",
    "Persian": "n02123394",
    "Siamese": "n02123597",
}
# A word that covers the breed and more: WordNet puts the pit bull with the American Staffordshire terrier, and its
# "Egyptian cat" is no breed.
WIDER = {"American Pit Bull Terrier": "n02093428", "Egyptian Mau": "n02124075"}
NONE = {
    "dog": ("American Bulldog", "Havanese", "Shiba Inu"),
    "cat": (
        "Abyssinian",
        "Bengal",
        "Birman",
        "Bombay",
        "British Shorthair",
        "Maine Coon",
        "Ragdoll",
        "Russian Blue",
        "Sphynx",
    ),
}
# Breeds of the course's drawings whose names are words of `mini_resnet`.
DRAWN = {
    "persian": "n02123394",
    "poodle": "n02113799",
    "tabby": "n02123045",
    "german_shepherd": "n02106662",
    "golden_retriever": "n02099601",
    "labrador": "n02099712",
}
FEW = (1, 3, 5)  # labels a breed
DRAWS = 10

WORDS = {
    "en": {
        "kinds": ("the breed has a word of its own", "a word covers it and more", "no word"),
        "heads": ("In ImageNet's thousand classes", "Dogs", "Cats", "Together"),
        "all": "all breeds of Oxford-IIIT",
        "thousand": "ImageNet's own words for dogs and domestic cats",
        "tiny": "Of these words `mini_resnet` knows {n}, those for {names}. Of the {all} breeds that the course "
        "draws, it has learnt {drawn} by name: {pets}.",
        "few": ("Labels a breed", "Breeds with a word of their own", "Breeds with no word", "of these, dogs", "cats"),
        "zero": ("none: its thousand words", "none: the words of these {n} breeds"),
        "species": ("Its words are joined by", "Right", "Cats found", "Dogs found"),
        "sum": "their sum",
        "mean": "their mean",
        "max": "the largest",
    },
    "es": {
        "kinds": ("la raza tiene palabra propia", "una palabra más amplia la abarca", "ninguna palabra"),
        "heads": ("Entre las mil clases de ImageNet", "Perros", "Gatos", "En total"),
        "all": "todas las razas de Oxford-IIIT",
        "thousand": "palabras de ImageNet para perros y gatos domésticos",
        "tiny": "De estas palabras, `mini_resnet` conoce {n}: las de {names}. De las {all} razas que dibuja el "
        "curso, ha aprendido {drawn} por su nombre: {pets}.",
        "few": ("Etiquetas por raza", "Razas con palabra propia", "Razas sin palabra", "de estas, perros", "gatos"),
        "zero": ("ninguna: sus mil palabras", "ninguna: las palabras de estas {n} razas"),
        "species": ("Sus palabras se juntan por", "Aciertos", "Gatos encontrados", "Perros encontrados"),
        "sum": "su suma",
        "mean": "su media",
        "max": "la mayor",
    },
}


def group_breeds() -> list[dict[str, list[str]]]:
    """The breeds with a word of their own, with a wider one, and with none, each by species.

    Raises:
        ValueError: a number in the lists above is no class of ImageNet, or one of another species.
    """
    numbers = [number for number, _ in imagenet_classes()]
    cats, dogs = numbers[CATS], numbers[DOGS]
    for breed, number in (SAME | WIDER).items():
        if number not in cats + dogs:
            raise ValueError(f"{breed}: expected a class of ImageNet for a cat or a dog, got {number}")
    named = [
        {name: [b for b, number in words.items() if number in known] for name, known in (("dog", dogs), ("cat", cats))}
        for words in (SAME, WIDER)
    ]
    return [*named, {species: list(breeds) for species, breeds in NONE.items()}]


def make_breeds(language: str) -> str:
    """The table of breeds, which they are, and a sentence on the small network."""
    words = WORDS[language]
    groups = group_breeds()
    rows = [
        [kind, len(g["dog"]), len(g["cat"]), len(g["dog"]) + len(g["cat"])]
        for kind, g in zip(words["kinds"], groups, strict=True)
    ]
    dogs, cats = (sum(len(group[species]) for group in groups) for species in ("dog", "cat"))
    rows.append([words["all"], dogs, cats, dogs + cats])
    dogs, cats = (len(imagenet_classes()[part]) for part in (DOGS, CATS))
    rows.append([words["thousand"], dogs, cats, dogs + cats])
    lists = [
        textwrap.fill(f"- *{kind}*: {', '.join(g['dog'] + g['cat'])}.", 116, subsequent_indent="  ")
        for kind, g in zip(words["kinds"], groups, strict=True)
    ]
    tiny = {number for number, _ in tiny_imagenet_classes()}
    names = [breed for breed, number in (SAME | WIDER).items() if number in tiny]
    drawn = [breed.name for breed in BREEDS if DRAWN.get(breed.name) in tiny]
    pets = ", ".join(class_words(drawn, language))
    small = words["tiny"].format(n=len(names), names=", ".join(names), all=len(BREEDS), drawn=len(drawn), pets=pets)
    return "\n\n".join([markdown_table(words["heads"], rows), "\n".join(lists), textwrap.fill(small, 118)])


def look_at_photos(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """What `efficientnet_lite0` makes of all photos of a data set: features, probabilities; the labels, the names."""
    import torch

    from tlhelpers.data.datasets import load_splits
    from tlhelpers.pytorch.networks import load_network

    splits = load_splits(name, image_size=224, seed=0)
    parts = (splits.train, splits.val, splits.test)
    network, prepare = load_network("efficientnet_lite0")
    network.eval()
    features, answers = [], []
    with torch.inference_mode():
        for image in (image for part in parts for image in part.images):
            maps = network.forward_features(prepare(torch.from_numpy(np.array(image)).permute(2, 0, 1))[None])
            features.append(network.forward_head(maps, pre_logits=True)[0].numpy())
            answers.append(network.forward_head(maps)[0].softmax(0).numpy())
    labels = np.concatenate([part.labels for part in parts])
    return np.array(features), np.array(answers), labels, splits.train.class_names


def find_recalls(features: np.ndarray, labels: np.ndarray, groups: list[np.ndarray]) -> dict[int, list]:
    """For each number of labels a breed, the share found of each group of breeds, over `DRAWS` draws of the labels."""
    found = {}
    for n in FEW:
        shares = []
        for draw in range(DRAWS):
            order = np.random.default_rng(draw).permutation(len(labels))
            learnt = np.concatenate([order[labels[order] == label][:n] for label in range(labels.max() + 1)])
            rest = np.setdiff1d(order, learnt)
            answers = metrics.linear_probe(features[learnt], labels[learnt], features[rest], strength=0.02).argmax(1)
            right = answers == labels[rest]
            shares.append([float(right[np.isin(labels[rest], group)].mean()) for group in groups])
        # The photos are few and serve in all draws: the interval is that of the photos and of the draws.
        photos = [int(np.isin(labels, group).sum() * (1 - n * (labels.max() + 1) / len(labels))) for group in groups]
        columns = zip(zip(*shares, strict=True), photos, strict=True)
        found[n] = [metrics.accuracy_estimate(list(values), count) for values, count in columns]
    return found


def measure_species() -> dict[str, str]:
    """How many photos of Cats vs Dogs the network names by its own words, by how they are joined, in both languages."""
    _, answers, labels, _ = look_at_photos("cats_vs_dogs")
    rows = {}
    for how in ("sum", "mean", "max"):
        says_dog = getattr(answers[:, DOGS], how)(1) > getattr(answers[:, CATS], how)(1)
        right = says_dog == labels
        shares = [percent(float(right[labels == label].mean())) for label in (0, 1)]
        rows[how] = [say(metrics.wilson_interval(float(right.mean()), len(right))), *shares]
    return {
        language: markdown_table(words["species"], [[words[how], *row] for how, row in rows.items()])
        for language, words in WORDS.items()
    }


def measure_breeds() -> dict[str, str]:
    """The table of what the network finds of the breeds with no label and with few, in both languages."""
    features, answers, labels, names = look_at_photos("oxford_pets_breeds")
    same, _, none = group_breeds()
    groups = [
        np.array([names.index(breed) for breed in breeds])
        for breeds in (same["dog"] + same["cat"], none["dog"] + none["cat"], none["dog"], none["cat"])
    ]
    numbers = [number for number, _ in imagenet_classes()]
    columns = [numbers.index(SAME[names[label]]) for label in groups[0]]
    known = np.isin(labels, groups[0])
    own = dict(zip(groups[0], columns, strict=True))
    free = answers[known].argmax(1) == [own[label] for label in labels[known]]
    chosen = groups[0][answers[known][:, columns].argmax(1)] == labels[known]
    zeros = [metrics.wilson_interval(float(right.mean()), len(right)) for right in (free, chosen)]
    recalls = find_recalls(features, labels, groups)
    tables = {}
    for language, words in WORDS.items():
        rows = [
            [name.format(n=len(groups[0])), say(zero), "–", "–", "–"]
            for name, zero in zip(words["zero"], zeros, strict=True)
        ]
        rows += [[str(n), *map(say, estimates)] for n, estimates in recalls.items()]
        tables[language] = markdown_table(words["few"], rows)
    return tables


def say(estimate: metrics.Estimate) -> str:
    """`88.0 % (85.1–90.4)`."""
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f}–{100 * estimate.high:.1f})"


def replace_block(text: str, name: str, block: str) -> str:
    """The text with what stands between the markers of that name replaced.

    Raises:
        ValueError: not exactly one pair of markers, in order.
    """
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"Expected one line {start} and below it one line {end}. Put them back.")
    before, rest = text.split(start)
    return f"{before}{start}\n\n{block}\n\n{end}{rest.split(end)[1]}"


def main(argv: list[str] | None = None) -> int:
    """Updates both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="look at the photos too")
    blocks = {"breeds": {language: make_breeds(language) for language in PAGES}}
    if parser.parse_args(argv).measure:
        blocks |= {"measured": measure_breeds(), "species": measure_species()}
    for language, path in PAGES.items():
        text = path.read_text(encoding="utf-8")
        for name, block in blocks.items():
            text = replace_block(text, name, block[language])
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
