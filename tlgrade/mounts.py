"""What a box can read, and how root makes it readable for the user who runs in it."""

import functools
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import tlhelpers
from tlgrade.settings import BoxSettings
from tlhelpers.errors import TlhelpersError

HOME = "/home/learner"
OUT = "/out"
LAB_DATA = "/lab/data"
DATA = "/data"
SCRIPTS = "/box"
INSIDE = Path(__file__).parent / "inside"
PACKAGE = Path(tlhelpers.__file__).resolve().parent
GRADER = Path(__file__).resolve().parent
FONTS = "/fonts"
# Linux counts processes by user, and never root's: a grader that is root gives this user to the box. No account has it.
BOX_USER = 61_999
# Root mounts folders that only it can open over this one, which no box needs, in a namespace of its own.
_SHOWN = "/sys"
_SHOW = f"""
mount -t tmpfs -o mode=0755 none {_SHOWN} || exit 1
number=0
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir {_SHOWN}/$number; else : > {_SHOWN}/$number; fi || exit 1
    mount --rbind "$1" {_SHOWN}/$number || exit 1
    number=$((number + 1))
    shift
done
shift
exec "$@"
"""
_SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime")


class BoxError(TlhelpersError):
    """The box cannot be built on this machine, or broke off before the learner's code ran."""


def mount_options(settings: BoxSettings) -> list[str]:
    """Read-only mounts, without what a learner may not read: this package, which knows the answers."""
    made: list[str] = []
    folders: set[str] = set()  # empty ones, made above what is mounted
    mounted: set[str] = set()
    shown: dict[str, str] = {}
    places = list(readable_places(settings))
    refuse_secrets(settings, [source for source, _ in places])
    for source, target in places:
        # bubblewrap makes folders above a mount for their owner only, where the source is in a private folder.
        for folder in reversed(Path(target).parents[:-1]):
            if str(folder) not in folders | mounted:
                made += ["--perms", "0755", "--dir", str(folder)]
                folders.add(str(folder))
        if os.geteuid() == 0 and is_private(source):
            shown[source] = f"{_SHOWN}/{len(shown)}"
        made += ["--ro-bind", shown.get(source, source), target]
        mounted.add(target)
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if os.path.islink(f"/{name}"):
            made += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
    for link, target in _links():
        if not any(link.is_relative_to(place) for place in mounted):
            made += ["--perms", "0755", "--dir", str(link.parent), "--symlink", target, str(link)]
    if any(GRADER.is_relative_to(place) for place in mounted):  # installed beside what learners' code imports
        made += ["--tmpfs", str(GRADER), "--remount-ro", str(GRADER)]
    return made


def refuse_secrets(settings: BoxSettings, sources: Iterable[str]) -> None:
    """Refuses mounts that would show what is nobody's business in a box.

    Raises:
        BoxError: A folder would be mounted that holds the grader's home, a secret folder, or a socket.
    """
    # A Python may be installed into ~/.local, whose folder `share` has keyrings and the tokens of Jupyter servers.
    own = ("~", "~/.ssh", "~/.config", "~/.local/share")
    secret = [Path(os.path.realpath(place)) for place in (*map(os.path.expanduser, own), *settings.secret)]
    for source in map(os.path.realpath, sources):
        for place in secret:
            if place.is_relative_to(source) and source != "/":
                raise BoxError(
                    f"the box would have to show {source}, in which {place} lies. Install Python and the environment "
                    "into folders that hold nothing else, and keep submissions and results outside of them"
                )
    for place in filter(None, (settings.lab_data, settings.weights)):
        for folder, _, names in os.walk(place):
            if any(stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode) for name in names):
                raise BoxError(f"{folder} has a socket in it, which a box could speak to. Remove it")


def is_private(path: str) -> bool:
    """Whether others than the owner cannot get at a file or folder."""
    found = Path(path).resolve()
    folders = found.parents if found.is_file() else (found, *found.parents)
    return any(not folder.stat().st_mode & 0o001 for folder in folders)


def readable_places(settings: BoxSettings) -> Iterator[tuple[str, str]]:
    """What the box may read: source and target, a folder before what lies in it."""
    system = [f"/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64") if not os.path.islink(f"/{name}")]
    seen: list[str] = []
    for place in ["/usr", *system, *_SYSTEM, *_interpreter()]:
        if os.path.exists(place) and not any(place == other or place.startswith(f"{other}/") for other in seen):
            seen.append(place)
            yield place, place
    yield str(INSIDE), SCRIPTS
    for cache in _font_caches():
        yield str(cache), f"{FONTS}/{cache.name}"
    if settings.lab_data:
        yield settings.lab_data, LAB_DATA
    if settings.weights:
        yield settings.weights, f"{DATA}/weights"


def _font_caches() -> list[Path]:
    """matplotlib's own lists of fonts, where this user has them: to make one takes every kernel a second.

    Files, and not their folder: that may be one where others have sockets.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(os.environ.get("MPLCONFIGDIR") or f"{cache}/matplotlib")
    return [path for path in sorted(folder.glob("fontlist-*.json")) if stat.S_ISREG(path.lstat().st_mode)]


@functools.cache
def _interpreter() -> tuple[str, ...]:
    """The folders that this interpreter and this package are in."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    real = Path(sys.executable).resolve().parents[1]
    found = [sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(real)]
    folders = [folder for folder in map(os.path.abspath, found) if (Path(folder) / library).is_dir()]
    return (*dict.fromkeys(folders), str(PACKAGE))


@functools.cache
def _links() -> tuple[tuple[Path, str], ...]:
    """The links on the way from this interpreter's name to the interpreter, each with what it says.

    They are made anew in the box. Their folders, such as a user's own `bin`, are nobody's business in there.
    """
    found, hop = [], Path(sys.executable)
    while hop.is_symlink():
        found.append((hop, os.readlink(hop)))
        hop = Path(os.path.normpath(hop.parent / found[-1][1]))
    return tuple(found)


def leave_root(settings: BoxSettings) -> list[str]:
    """The command that gives root up for `BOX_USER`, before the box is entered.

    What only root can look at is first mounted where that user can, in a namespace that nobody else sees.
    """
    # Everything is replaced by the next program, so that the grader stays the parent of the box: it could not kill the
    # box in its own end through a parent in between, which would have lost the right to.
    leave = [
        find_program("setpriv"), f"--reuid={BOX_USER}", f"--regid={BOX_USER}", "--clear-groups", "--inh-caps=-all",
        "--bounding-set=-all", "--pdeathsig=KILL", "--",
    ]  # fmt: skip
    private = [source for source, _ in readable_places(settings) if is_private(source)]
    if not private:
        return leave
    return [
        find_program("unshare"),
        "--mount",
        "--propagation",
        "private",
        "--",
        "/bin/sh",
        "-c",
        _SHOW,
        "sh",
        *private,
        "--",
        *leave,
    ]


def find_program(name: str) -> str:
    """The path of a program that the box needs.

    Raises:
        BoxError: It is not installed; the message has the command that installs it.
    """
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]
    found = shutil.which(name, path=os.pathsep.join(folders))  # never in the working folder
    if found is None:
        package = {"bwrap": "bubblewrap"}.get(name, "util-linux")
        raise BoxError(
            f"expected the program {name}, which makes the box, and it is not installed. "
            f"Install it: sudo apt-get install {package} (Fedora: sudo dnf install {package})"
        )
    return found
