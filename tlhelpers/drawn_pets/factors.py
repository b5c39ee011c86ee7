"""What a drawing depends on. Lessons change one factor and leave the rest: `dataclasses.replace(factors, yaw=0.0)`."""

from dataclasses import dataclass

import numpy as np

from tlhelpers.drawn_pets.breeds import BREEDS, COLOURS, EYES, Breed
from tlhelpers.errors import UnknownNameError, said

POSES = {"head": 0.74, "sitting": 0.13, "lying": 0.08, "standing": 0.05}  # and how often each comes
BACKGROUNDS = ("grass", "sofa", "floor", "blanket", "sky")
OCCLUDERS = ("box", "bar", "leaves")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Factors:
    """Everything that a drawing shows. Lengths without another unit are in radii of the skull, colours 0 to 255."""

    breed: str
    species: str
    # the animal
    cheek: float
    jaw: float
    chin: float
    muzzle: float
    muzzle_width: float
    ear: str
    ear_size: float
    eye_size: float
    eye_colour: Colour
    whiskers: float  # 0 unseen to 1 plain
    fur: float  # 0 sleek to 1 shaggy
    curl: float  # 0 straight to 1 curled
    tail: str
    marking: str
    coat: Colour
    second: Colour
    third: Colour
    mouth: float  # 0 closed to 1 wide open
    # how it stands in the picture
    pose: str
    x: float  # centre of the head, fraction of the picture's width
    y: float
    scale: float  # radius of the skull, fraction of the picture's width
    yaw: float  # radians; the head turned to its side
    tilt: float  # radians; the head leaning
    flip: bool
    # the scene
    background: str
    upper: Colour
    lower: Colour
    horizon: float  # fraction of the height
    clutter: int  # things that stand about
    occluder: str
    occlusion: float  # fraction of the picture's side that the thing in front covers, 0 for none
    # the camera
    light: float  # factor on brightness
    warmth: float  # -1 blue to 1 yellow
    light_angle: float  # radians from above
    noise: float  # standard deviation, in levels of 0 to 255
    blur: float  # radius, fraction of the picture's width
    # stripes, spots, textures and things in the background come from this
    detail_seed: int


def find_breed(name: str | Breed) -> Breed:
    """The breed of that name.

    Raises:
        UnknownNameError: no breed is called so.
    """
    if isinstance(name, Breed):
        return name
    for breed in BREEDS:
        if breed.name == name:
            return breed
    raise UnknownNameError(said("breed", "raza"), name, [breed.name for breed in BREEDS])


def sample_factors(breed: str | Breed, rng: np.random.Generator) -> Factors:
    """Draw one animal of that breed, its pose, its surroundings and the camera.

    Raises:
        UnknownNameError: no breed is called so.
    """
    breed = find_breed(breed)
    detail_seed = int(rng.integers(2**32))
    return Factors(
        breed=breed.name,
        species=breed.species,
        detail_seed=detail_seed,
        **_sample_animal(breed, rng),
        **_sample_pose(rng),
        **_sample_scene(rng),
    )


def _pick(options, rng):
    return options[int(rng.integers(len(options)))]


def _jitter(colour: Colour, amount: float, rng) -> Colour:
    together, apart = rng.uniform(-amount, amount), rng.uniform(-amount / 3, amount / 3, 3)
    return tuple(int(v) for v in np.clip(np.add(colour, together + apart), 0, 255))


def _sample_animal(breed: Breed, rng) -> dict:
    ranges = ("cheek", "jaw", "chin", "muzzle", "muzzle_width", "ear_size", "eye_size", "whiskers", "fur", "curl")
    shape = {name: float(rng.uniform(*getattr(breed, name))) for name in ranges}
    coat, second, third = (_jitter(COLOURS[name], 18, rng) for name in _pick(breed.coats, rng))
    opens = 0.6 if breed.species == "dog" else 0.06
    return shape | {
        "ear": breed.ear,
        "eye_colour": _jitter(EYES[_pick(breed.eyes, rng)], 15, rng),
        "tail": breed.tail,
        "marking": breed.marking,
        "coat": coat,
        "second": second,
        "third": third,
        "mouth": float(rng.uniform(0.4, 1.0)) if rng.random() < opens else 0.0,
    }


def _sample_pose(rng) -> dict:
    pose = list(POSES)[int(np.searchsorted(np.cumsum(list(POSES.values())), rng.random()))]
    x, y, scale = {
        "head": ((0.34, 0.66), (0.42, 0.62), (0.27, 0.38)),
        "sitting": ((0.38, 0.62), (0.34, 0.46), (0.21, 0.27)),
        "lying": ((0.3, 0.42), (0.42, 0.54), (0.21, 0.27)),
        "standing": ((0.28, 0.36), (0.38, 0.5), (0.18, 0.22)),
    }[pose]
    flip = bool(rng.random() < 0.5)
    across = float(rng.uniform(*x))
    return {
        "pose": pose,
        "x": 1 - across if flip else across,
        "y": float(rng.uniform(*y)),
        "scale": float(rng.uniform(*scale)),
        "yaw": float(rng.uniform(-0.45, 0.45)),
        "tilt": float(rng.uniform(-0.26, 0.26)),
        "flip": flip,
    }


def _sample_scene(rng) -> dict:
    background = _pick(BACKGROUNDS, rng)
    upper, lower = {
        "grass": (((120, 150, 110), 40), ((96, 128, 60), 35)),
        "sofa": (((190, 180, 168), 45), (tuple(rng.integers(50, 210, 3)), 10)),
        "floor": (((196, 190, 178), 45), ((150, 112, 76), 40)),
        "blanket": ((tuple(rng.integers(60, 220, 3)), 10), (tuple(rng.integers(60, 220, 3)), 10)),
        "sky": (((150, 184, 216), 30), ((150, 140, 110), 40)),
    }[background]
    hidden = rng.random() < 0.2
    return {
        "background": background,
        "upper": _jitter(upper[0], upper[1], rng),
        "lower": _jitter(lower[0], lower[1], rng),
        "horizon": float(rng.uniform(0.3, 0.75)),
        "clutter": int(rng.integers(0, 5)),
        "occluder": _pick(OCCLUDERS, rng),
        "occlusion": float(rng.uniform(0.08, 0.2)) if hidden else 0.0,
        "light": float(rng.uniform(0.75, 1.2)),
        "warmth": float(rng.uniform(-0.6, 1.0)),
        "light_angle": float(rng.uniform(-1.1, 1.1)),
        "noise": float(rng.uniform(1, 5)),
        "blur": float(rng.uniform(0.0, 0.004)),
    }
