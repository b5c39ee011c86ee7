"""The data sets that can be fetched, with their addresses, sizes and checksums.

The path of a file is its place in a classroom pack, in the cache's `downloads` folder, and in what
`tlhelpers fetch --to` writes: the same everywhere.
"""

from dataclasses import dataclass

from tlhelpers.errors import UnknownNameError, said

FORMATS = {"zip": b"PK\x03\x04", "gz": b"\x1f\x8b"}


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded.

    Attributes:
        path: Its place in a pack, with forward slashes.
        urls: Where it is, best first.
        sha256: Its checksum, as 64 hexadecimal digits.
        size: Bytes.
        stand_ins: Places in a pack of files that serve as well, such as a smaller selection.
    """

    path: str
    urls: tuple[str, ...]
    sha256: str
    size: int
    stand_ins: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def begins(self) -> bytes:
        """The first bytes of every file of its format."""
        return FORMATS[self.name.rsplit(".", 1)[-1]]


CATS_VS_DOGS = RemoteFile(
    "cats_vs_dogs/kagglecatsanddogs_5340.zip",
    ("https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",),
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
    824_887_076,
    ("cats_vs_dogs/kagglecatsanddogs_subset.zip",),
)
OXFORD_IMAGES = RemoteFile(
    "oxford_iiit_pet/images.tar.gz",
    (
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz",
    ),
    "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
    791_918_971,
)
OXFORD_ANNOTATIONS = RemoteFile(
    "oxford_iiit_pet/annotations.tar.gz",
    (
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz",
    ),
    "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
    19_173_078,
)

DATA_SETS: dict[str, tuple[RemoteFile, ...]] = {
    "cats_vs_dogs": (CATS_VS_DOGS,),
    "oxford_iiit_pet": (OXFORD_IMAGES, OXFORD_ANNOTATIONS),
}
ALIASES = {"oxford_pets_species": "oxford_iiit_pet", "oxford_pets_breeds": "oxford_iiit_pet"}


def fetchable_names() -> list[str]:
    """The names of all data sets, with their other names."""
    return [*DATA_SETS, *ALIASES]


def files_of(name: str) -> tuple[RemoteFile, ...]:
    """The files of a data set, such as `"cats_vs_dogs"`.

    Raises:
        UnknownNameError: there is nothing of that name.
    """
    name = ALIASES.get(name, name)
    if name not in DATA_SETS:
        raise UnknownNameError(said("data set", "conjunto de datos"), name, fetchable_names())
    return DATA_SETS[name]
