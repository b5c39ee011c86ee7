"""Data sets, from the classroom pack, the cache or the network, in this order; and weights, by their libraries."""

import argparse
import shutil
from pathlib import Path

from tlhelpers.data.download import NoAnswerError, download
from tlhelpers.data.network_weights import LIBRARIES, fetch_network
from tlhelpers.data.sources import ALIASES, DATA_SETS, RemoteFile, fetchable_names, files_of
from tlhelpers.errors import DataNotFoundError, said
from tlhelpers.paths import CACHE_VARIABLE, DATA_VARIABLE, atomic_path, cache_folder, data_folder


def fetch(name: str, *, to: Path | str | None = None, progress: bool = True) -> list[Path]:
    """Makes sure that the files of a data set are on this machine.

    Args:
        name: Such as `"cats_vs_dogs"`.
        to: A folder in which to make a classroom pack: what is already in the pack or in the cache is copied there,
            the rest is downloaded there. The folder then serves as TLHELPERS_DATA. None leaves the files where they
            are, and downloads into the cache.
        progress: Whether to show progress bars.

    Returns:
        The path of each file.

    Raises:
        UnknownNameError: there is nothing of that name.
        DataNotFoundError: a file is nowhere and no server gave it.
        DownloadError: a download broke off, or is not the file that was expected.
    """
    return [bring(file, name, to, progress) for file in files_of(name)]


def find_local(file: RemoteFile) -> Path | None:
    """The file or a stand-in for it, in the pack or in the cache; None where it is in neither."""
    for folder in _local_folders():
        for place in (file.path, *file.stand_ins):
            if (folder / place).is_file():
                return folder / place
    return None


def _local_folders() -> list[Path]:
    pack = data_folder()
    return [*([pack] if pack else []), cache_folder() / "downloads"]


def bring(file: RemoteFile, name: str, to: Path | str | None, progress: bool) -> Path:
    """One file of what is called `name`; arguments and errors as for `fetch`."""
    found = find_local(file)
    target = (cache_folder() / "downloads" if to is None else Path(to).expanduser().absolute()) / file.path
    if found is not None:
        if to is None:
            return found
        target = target.with_name(found.name)  # nobody should take a stand-in for the whole
    if target.exists():
        return target
    if found is not None:
        with atomic_path(target) as temporary:
            shutil.copyfile(found, temporary)
        return target
    try:
        return download(file, target, progress)
    except NoAnswerError as error:
        raise DataNotFoundError(_not_found(file, name, str(error))) from error


def _not_found(file: RemoteFile, name: str, why: str) -> str:
    sought = "\n".join(f"  {folder / file.path}" for folder in _local_folders())
    unset = "" if data_folder() else said(f" ({DATA_VARIABLE} is not set)", f" ({DATA_VARIABLE} no está puesta)")
    embedded = 'BACKBONE = "mini_resnet"' if "/" in name else 'DATASET = "drawn_pets"'
    return said(
        f"{file.name} is neither on this machine nor to be had from the network.\n"
        f"Sought{unset}:\n{sought}\n"
        f"Asked for: {why}\n"
        f"What to do: on a machine with a network, run `tlhelpers fetch {name} --to FOLDER`, bring the folder here and "
        f"set {DATA_VARIABLE} to it; or put the file in the folder that {CACHE_VARIABLE} names, at the place above; "
        f"or use what comes with the package: {embedded}.",
        f"{file.name} no está en este equipo ni se pudo traer de la red.\n"
        f"Se buscó en{unset}:\n{sought}\n"
        f"Se pidió a: {why}\n"
        f"Qué hacer: en un equipo con red, ejecute `tlhelpers fetch {name} --to CARPETA`, traiga aquí esa carpeta y "
        f"póngala en {DATA_VARIABLE}; o deje el archivo en la carpeta que nombra {CACHE_VARIABLE}, en el lugar de "
        f"arriba; o use lo que viene con el paquete: {embedded}.",
    )


HELP = "data sets, which --list shows, and weights, such as torchvision/resnet18, keras/ResNet50, timm/convnext_tiny"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `tlhelpers fetch`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=HELP)
    parser.add_argument("--to", type=Path, metavar="DIR", help="make a classroom pack in this folder")
    parser.add_argument("--list", action="store_true", help="show what can be fetched, and what is here already")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Runs `tlhelpers fetch`.

    Returns:
        0; 2 where nothing was asked for.
    """
    if args.list:
        print(_list())
        return 0
    if not args.names:
        print("Name what to fetch:", ", ".join(fetchable_names()), *(f"or {library}/NAME" for library in LIBRARIES))
        return 2
    for name in args.names:  # a misspelled name is found before the first long download
        if name.partition("/")[0] not in LIBRARIES:
            files_of(name)
    for name in args.names:
        if "/" in name:
            fetch_network(name, args.to and args.to.expanduser().absolute())
            print(f"{name}: {'in the cache of its library' if args.to is None else args.to}")
            continue
        for path in fetch(name, to=args.to, progress=not args.quiet):
            print(f"{name}: {path}")
    if args.to:
        print(f"To use this pack, set {DATA_VARIABLE} to {args.to.expanduser().absolute()}")
    return 0


def _list() -> str:
    lines = []
    for name in DATA_SETS:
        files = files_of(name)
        here, size = [find_local(file) for file in files], sum(file.size for file in files)
        also = [alias for alias, of in ALIASES.items() if of == name]
        note = f"  (also as {', '.join(also)})" if also else ""
        state = f"here: {here[0].parent}" if all(here) else "not here"
        lines.append(f"{name:28} {f'{size / 1e6:,.0f} MB':>9}  {state}{note}")
    lines.append(f"Weights come by their libraries: {', '.join(f'{library}/NAME' for library in LIBRARIES)}")
    return "\n".join(lines)
