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

# Cats and dogs alternate, so that any beginning of the data set is balanced. A coat is its main, second and third
# colour, or one for all three.
LOOKS = """
                  species marking ear     tail   coats
siamese           cat     points  pointed thin   cream/chocolate/white white/charcoal/cream cream/brown/white
pug               dog     points  semi    curl   fawn/black/cream cream/black/cream fawn/chocolate/cream
persian           cat     plain   pointed bushy  white/cream/white cream/fawn/white silver/grey/white golden
poodle            dog     plain   drop    pompon white/cream/white black/charcoal/black golden/fawn/cream grey
tabby             cat     tabby   pointed thin   grey/black/silver tan/chocolate/fawn brown/black/tan
german_shepherd   dog     saddle  prick   bushy  tan/black/fawn brown/black/tan grey/black/silver
tuxedo            cat     tuxedo  pointed thin   black/white/white charcoal/white/white grey/white/white
husky             dog     husky   prick   curl   black/white/white charcoal/white/white grey/white/white
calico            cat     patches pointed thin   white/ginger/black white/golden/charcoal white/tan/black
beagle            dog     beagle  drop    thin   tan/black/white ginger/black/white golden/chocolate/white
ginger            cat     tabby   pointed thin   ginger/tan/cream golden/tan/white ginger/brown/white
golden_retriever  dog     plain   drop    bushy  golden/tan/cream ginger/tan/golden cream/golden/white
british_shorthair cat     plain   pointed thin   grey/charcoal/silver black cream/fawn/white brown/chocolate/tan
labrador          dog     plain   drop    thick  black chocolate/brown/chocolate cream/golden/white golden/tan/cream
bengal            cat     spots   pointed thin   tan/chocolate/cream silver/black/white white/charcoal/white
dalmatian         dog     spots   drop    thin   white/black/white white/chocolate/white white/charcoal/white
"""

# In hundredths of the skull's radius, or of the whole; where there is a dot, what cats and dogs usually have.
SHAPES = """
                  cheek   jaw    chin    muzzle  muzzle_width ear_size eye_size fur   curl   whiskers eyes
cat               98-110  78-90  80-90   12-20   36-44        82-105   14-17    10-30 0-0    60-100   green/yellow/amber
dog               78-86   56-64  108-120 65-90   42-50        80-105   13-16    10-30 0-0    0-25     dark/brown
siamese           94-102  62-70  86-94   .       .            95-115   15-18    .     .      .        blue
pug               96-105  84-94  92-100  20-32   54-62        55-70    15-18    .     .      .        .
persian           114-126 98-108 .       2-8     .            55-70    16-19    60-85 .      .        amber/yellow/blue
poodle            80-88   .      .       95-115  34-40        110-135  .        70-90 80-100 .        .
tabby             .       .      .       .       .            .        .        .     .      .        .
german_shepherd   .       .      .       100-115 46-52        75-95    .        30-50 .      .        .
tuxedo            .       .      .       .       .            .        .        .     .      .        .
husky             84-92   .      .       85-105  46-52        70-85    .        40-60 .      .        blue/brown
calico            .       .      .       .       .            .        .        20-50 .      .        .
beagle            .       .      .       .       .            110-130  .        .     .      .        .
ginger            105-115 .      .       .       .            .        .        20-40 .      .        amber/green
golden_retriever  84-92   .      .       .       .            .        .        50-75 .      .        .
british_shorthair 110-120 90-100 .       .       .            74-90    15-18    .     .      .        .
labrador          84-92   .      .       .       46-54        .        .        .     .      .        .
bengal            .       72-82  .       .       .            .        .        .     .      .        .
dalmatian         .       .      .       .       .            .        .        .     .      .        .
"""

Range = tuple[float, float]


@dataclass(frozen=True)
class Breed:
    """What the drawings of a breed have in common: ranges, lists of which one entry is drawn, and what is always so."""

    name: str
    species: str  # "cat" or "dog"
    marking: str
    ear: str
    tail: str
    coats: tuple[tuple[str, str, str], ...]  # main, second and third colour
    cheek: Range  # half the width of the head, as all that follow in units of the skull's radius
    jaw: Range  # half its width below
    chin: Range  # from the centre of the skull down to the chin
    muzzle: Range  # how far the snout stands out
    muzzle_width: Range
    ear_size: Range
    eye_size: Range
    fur: Range  # 0 sleek to 1 shaggy
    curl: Range  # 0 straight to 1 curled
    whiskers: Range  # how well they are seen, 0 to 1
    eyes: tuple[str, ...]


def _read_breeds() -> tuple[Breed, ...]:
    shapes = {row[0]: row[1:] for row in map(str.split, SHAPES.split("\n")[2:-1])}
    breeds = []
    for name, species, marking, ear, tail, *coats in map(str.split, LOOKS.split("\n")[2:-1]):
        shape = [usual if own == "." else own for usual, own in zip(shapes[species], shapes[name], strict=True)]
        ranges = [tuple(int(end) / 100 for end in text.split("-")) for text in shape[:-1]]
        colours = tuple(tuple((coat.split("/") * 3)[:3]) for coat in coats)
        breeds.append(Breed(name, species, marking, ear, tail, colours, *ranges, tuple(shape[-1].split("/"))))
    return tuple(breeds)


BREEDS = _read_breeds()
