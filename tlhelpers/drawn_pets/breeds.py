"""The breeds: each is a range of factors. Coat colours are shared between cats and dogs on purpose.

If colour told the species, a histogram would do and nobody would need a network. So every cat has a dog of about its
colours: the Siamese has the pug, the tuxedo cat the husky, the calico the beagle, the ginger cat the golden retriever.
"""

from dataclasses import dataclass

COLOURS = {
    "black": (40, 36, 36),
    "charcoal": (72, 70, 74),
    "grey": (124, 122, 124),
    "silver": (178, 174, 170),
    "white": (240, 236, 228),
    "cream": (229, 210, 176),
    "fawn": (206, 168, 122),
    "ginger": (206, 130, 64),
    "golden": (204, 154, 88),
    "tan": (172, 116, 66),
    "brown": (110, 76, 50),
    "chocolate": (74, 50, 38),
}

EYES = {
    "green": (132, 158, 72),
    "yellow": (200, 170, 60),
    "amber": (190, 120, 40),
    "blue": (112, 160, 200),
    "dark": (62, 38, 24),
    "brown": (98, 60, 32),
}

Range = tuple[float, float]


@dataclass(frozen=True)
class Breed:
    """Ranges `(lowest, highest)` in units of the skull's radius, and lists of which one entry is drawn."""

    name: str
    species: str  # "cat" or "dog"
    coats: tuple[tuple[str, str, str], ...]  # main, second and third colour
    markings: tuple[str, ...]
    ears: tuple[str, ...]
    eyes: tuple[str, ...]
    cheek: Range  # half the width of the head
    jaw: Range  # half its width below
    chin: Range  # from the centre of the skull down to the chin
    muzzle: Range  # how far the snout stands out
    muzzle_width: Range
    ear_size: Range
    eye_size: Range
    fur: Range = (0.1, 0.3)  # 0 sleek to 1 shaggy
    curl: Range = (0.0, 0.0)  # 0 straight to 1 curled
    whiskers: Range = (0.0, 0.25)  # how well they are seen
    tails: tuple[str, ...] = ("thin",)


def _cat(name: str, **ranges) -> Breed:
    usual = {
        "ears": ("pointed",),
        "eyes": ("green", "yellow", "amber"),
        "cheek": (0.98, 1.1),
        "jaw": (0.78, 0.9),
        "chin": (0.8, 0.9),
        "muzzle": (0.12, 0.2),
        "muzzle_width": (0.36, 0.44),
        "ear_size": (0.82, 1.05),
        "eye_size": (0.14, 0.17),
        "whiskers": (0.6, 1.0),
    }
    return Breed(name, "cat", **{**usual, **ranges})


def _dog(name: str, **ranges) -> Breed:
    usual = {
        "ears": ("drop",),
        "eyes": ("dark", "brown"),
        "cheek": (0.78, 0.86),
        "jaw": (0.56, 0.64),
        "chin": (1.08, 1.2),
        "muzzle": (0.65, 0.9),
        "muzzle_width": (0.42, 0.5),
        "ear_size": (0.8, 1.05),
        "eye_size": (0.13, 0.16),
    }
    return Breed(name, "dog", **{**usual, **ranges})


# Cats and dogs alternate, so that any beginning of the data set is balanced.
BREEDS: tuple[Breed, ...] = (
    _cat(
        "siamese",
        coats=(("cream", "chocolate", "white"), ("white", "charcoal", "cream"), ("cream", "brown", "white")),
        markings=("points",),
        eyes=("blue",),
        cheek=(0.94, 1.02),
        jaw=(0.62, 0.7),
        chin=(0.86, 0.94),
        ear_size=(0.95, 1.15),
        eye_size=(0.15, 0.18),
    ),
    _dog(
        "pug",
        coats=(("fawn", "black", "cream"), ("cream", "black", "cream"), ("fawn", "chocolate", "cream")),
        markings=("points",),
        ears=("semi",),
        cheek=(0.96, 1.05),
        jaw=(0.84, 0.94),
        chin=(0.92, 1.0),
        muzzle=(0.2, 0.32),
        muzzle_width=(0.54, 0.62),
        ear_size=(0.55, 0.7),
        eye_size=(0.15, 0.18),
        tails=("curl",),
    ),
    _cat(
        "persian",
        coats=(("white", "cream", "white"), ("cream", "fawn", "white"), ("silver", "grey", "white"), ("golden",) * 3),
        markings=("plain",),
        eyes=("amber", "yellow", "blue"),
        cheek=(1.14, 1.26),
        jaw=(0.98, 1.08),
        muzzle=(0.02, 0.08),
        ear_size=(0.55, 0.7),
        eye_size=(0.16, 0.19),
        fur=(0.6, 0.85),
        tails=("bushy",),
    ),
    _dog(
        "poodle",
        coats=(("white", "cream", "white"), ("black", "charcoal", "black"), ("golden", "fawn", "cream"), ("grey",) * 3),
        markings=("plain",),
        cheek=(0.8, 0.88),
        muzzle=(0.95, 1.15),
        muzzle_width=(0.34, 0.4),
        ear_size=(1.1, 1.35),
        fur=(0.7, 0.9),
        curl=(0.8, 1.0),
        tails=("pompon",),
    ),
    _cat(
        "tabby",
        coats=(("grey", "black", "silver"), ("tan", "chocolate", "fawn"), ("brown", "black", "tan")),
        markings=("tabby",),
    ),
    _dog(
        "german_shepherd",
        coats=(("tan", "black", "fawn"), ("brown", "black", "tan"), ("grey", "black", "silver")),
        markings=("saddle",),
        ears=("prick",),
        cheek=(0.78, 0.86),
        muzzle=(1.0, 1.15),
        muzzle_width=(0.46, 0.52),
        ear_size=(0.75, 0.95),
        fur=(0.3, 0.5),
        tails=("bushy",),
    ),
    _cat(
        "tuxedo",
        coats=(("black", "white", "white"), ("charcoal", "white", "white"), ("grey", "white", "white")),
        markings=("tuxedo",),
    ),
    _dog(
        "husky",
        coats=(("black", "white", "white"), ("charcoal", "white", "white"), ("grey", "white", "white")),
        markings=("husky",),
        ears=("prick",),
        eyes=("blue", "brown"),
        cheek=(0.84, 0.92),
        muzzle=(0.85, 1.05),
        muzzle_width=(0.46, 0.52),
        ear_size=(0.7, 0.85),
        fur=(0.4, 0.6),
        tails=("curl",),
    ),
    _cat(
        "calico",
        coats=(("white", "ginger", "black"), ("white", "golden", "charcoal"), ("white", "tan", "black")),
        markings=("patches",),
        fur=(0.2, 0.5),
    ),
    _dog(
        "beagle",
        coats=(("tan", "black", "white"), ("ginger", "black", "white"), ("golden", "chocolate", "white")),
        markings=("beagle",),
        ear_size=(1.1, 1.3),
    ),
    _cat(
        "ginger",
        coats=(("ginger", "tan", "cream"), ("golden", "tan", "white"), ("ginger", "brown", "white")),
        markings=("tabby",),
        eyes=("amber", "green"),
        cheek=(1.05, 1.15),
        fur=(0.2, 0.4),
    ),
    _dog(
        "golden_retriever",
        coats=(("golden", "tan", "cream"), ("ginger", "tan", "golden"), ("cream", "golden", "white")),
        markings=("plain",),
        cheek=(0.84, 0.92),
        fur=(0.5, 0.75),
        tails=("bushy",),
    ),
    _cat(
        "british_shorthair",
        coats=(
            ("grey", "charcoal", "silver"),
            ("black",) * 3,
            ("cream", "fawn", "white"),
            ("brown", "chocolate", "tan"),
        ),
        markings=("plain",),
        cheek=(1.1, 1.2),
        jaw=(0.9, 1.0),
        ear_size=(0.74, 0.9),
        eye_size=(0.15, 0.18),
    ),
    _dog(
        "labrador",
        coats=(
            ("black",) * 3,
            ("chocolate", "brown", "chocolate"),
            ("cream", "golden", "white"),
            ("golden", "tan", "cream"),
        ),
        markings=("plain",),
        cheek=(0.84, 0.92),
        muzzle_width=(0.46, 0.54),
        tails=("thick",),
    ),
    _cat(
        "bengal",
        coats=(("tan", "chocolate", "cream"), ("silver", "black", "white"), ("white", "charcoal", "white")),
        markings=("spots",),
        jaw=(0.72, 0.82),
    ),
    _dog(
        "dalmatian",
        coats=(("white", "black", "white"), ("white", "chocolate", "white"), ("white", "charcoal", "white")),
        markings=("spots",),
    ),
)
