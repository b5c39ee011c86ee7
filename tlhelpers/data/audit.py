"""The audit: which images of an archive are used, which are left out, and why. It deletes and moves nothing.

>>> record = examine(Member("a.jpg", b""), "a.jpg", "cat")[0]
>>> record.status, record.reason
('left out', 'empty')
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from tlhelpers.data.archives import MAX_FILE_BYTES, Member
from tlhelpers.data.images import ImageError, decode_opened, open_image, prepare
from tlhelpers.errors import DatasetError, UnknownNameError, said
from tlhelpers.numbers import thousands

USED, LEFT_OUT = "used", "left out"
_CLUTTER = {"thumbs.db", "desktop.ini"}
# Folders that macOS, Synology, QNAP, Windows and Linux make; those of Jupyter and of versions begin with a dot.
_CLUTTER_FOLDERS = {"__macosx", "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin"}
_CLUTTER_FOLDERS |= {"system volume information", "lost+found"}
# Every reason, with how the summary says it in each language.
REASONS = {
    "unreadable": {"en": "unreadable", "es": "archivos ilegibles"},
    "truncated": {"en": "cut off before their end", "es": "archivos cortados antes del final"},
    "not an image": {"en": "not images", "es": "archivos que no son imágenes"},
    "empty": {"en": "empty files", "es": "archivos vacíos"},
    "too large": {"en": "too large to decode", "es": "imágenes demasiado grandes para decodificarlas"},
    "outside the classes": {"en": "not in the folder of a class", "es": "archivos fuera de la carpeta de una clase"},
    "duplicate": {"en": "copies of another image", "es": "copias de otra imagen"},
    "HEIC": {
        "en": "HEIC photos (save them as JPEG, or run: pip install pi-heif)",
        "es": "fotos HEIC (guárdelas como JPEG o ejecute: pip install pi-heif)",
    },
    "unreadable folder": {"en": "folders that cannot be read", "es": "carpetas que no se pueden leer"},
    "same folder": {"en": "links to a folder that was read already", "es": "enlaces a una carpeta ya leída"},
    "contradictory": {"en": "the same image in two classes", "es": "la misma imagen en dos clases"},
}
_SUMMARY = {
    "en": ("{total} files: {used} images are used ({classes}), {left_out} left out{end}", "and {n} more"),
    "es": ("{total} archivos: se usan {used} imágenes ({classes}), {left_out} quedan fuera{end}", "y {n} más"),
}


@dataclass(frozen=True)
class Record:
    """What the audit found out about one file.

    Attributes:
        id: Stable name of the image, such as "Cat/12.jpg".
        class_name: Its class; empty where it has none.
        status: "used" or "left out".
        reason: Why it is left out, one of `REASONS`; empty for a used image.
        detail: More about the reason, such as the decoder's words or the image that it is a copy of.
        sha256: Of the file's bytes, hexadecimal; empty where it was not read.
        width: In pixels, as stored, before any rotation by EXIF; 0 where unknown.
        height: Likewise.
        format: What the content is ("JPEG", "PNG", ...), whatever the name says.
        mode: Pillow's name for the kind of pixels ("RGB", "CMYK", "P", ...).
        row: Its place in the image cache; -1 where it was not decoded.
    """

    id: str
    class_name: str
    status: str
    reason: str = ""
    detail: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    row: int = -1


@dataclass(frozen=True)
class Manifest:
    """The records of all files of an archive, ordered by id; and notes on its layout, in English and in Spanish."""

    name: str
    records: tuple[Record, ...]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def used(self) -> tuple[Record, ...]:
        """The records of the images that are used."""
        return tuple(record for record in self.records if record.status == USED)

    @property
    def left_out(self) -> tuple[Record, ...]:
        """The records of the files that are not, each with its reason."""
        return tuple(record for record in self.records if record.status == LEFT_OUT)

    def summary(self, language: str = "en") -> str:
        """A few lines for readers: how many are used of each class, and what is left out and why.

        Args:
            language: "en" or "es".
        """
        if language not in _SUMMARY:
            raise UnknownNameError(said("language", "idioma"), language, _SUMMARY)
        head, more = _SUMMARY[language]
        classes = Counter(record.class_name for record in self.used)
        shown = ", ".join(f"{name} {thousands(n)}" for name, n in sorted(classes.items())[:5])
        if len(classes) > 5:
            shown += f" {more.format(n=len(classes) - 5)}"
        by_reason = defaultdict(list)
        for record in self.left_out:
            by_reason[record.reason].append(record.id)
        lines = [english if language == "en" else spanish for english, spanish in self.notes]
        lines.append(
            head.format(
                total=thousands(len(self.records)),
                used=thousands(len(self.used)),
                classes=shown,
                left_out=thousands(len(self.left_out)),
                end=":" if by_reason else ".",
            )
        )
        for reason, ids in sorted(by_reason.items(), key=lambda item: -len(item[1])):
            rest = f" {more.format(n=len(ids) - 3)}" if len(ids) > 3 else ""
            lines.append(f"  {REASONS[reason][language]}: {thousands(len(ids))} ({', '.join(ids[:3])}{rest})")
        return "\n".join(lines)

    def __repr__(self) -> str:
        words = said("used, {} left out", "en uso, {} fuera").format(len(self.left_out))
        return f"Manifest({self.name!r}, {len(self.used)} {words})"

    def to_json(self) -> str:
        """The manifest as JSON text."""
        return json.dumps({"name": self.name, "records": [asdict(r) for r in self.records]}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest that `to_json` wrote."""
        content = json.loads(text)
        return cls(content["name"], tuple(Record(**record) for record in content["records"]))


def is_clutter(name: str) -> bool:
    """Whether a member's name shows that the system or a program left it there: hidden files, thumbnails and so on."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part.lower() in _CLUTTER_FOLDERS for part in parts)
    return hidden or parts[-1].lower() in _CLUTTER or parts[-1].lower().endswith(".mat")


def examine(
    member: Member, image_id: str, class_name: str | None, size: int | None = None
) -> tuple[Record, np.ndarray | None]:
    """Looks at one file, and decodes it to its last byte where it may be used.

    Args:
        member: The file.
        image_id: Its id.
        class_name: Its class; None where its place gives it none.
        size: Side in pixels to which the image is prepared.

    Returns:
        Its record, and for a usable image its pixels, of shape `(size, size, 3)` uint8.
    """
    record = Record(image_id, class_name or "", LEFT_OUT)

    def left_out(reason: str, detail: str) -> tuple[Record, None]:
        return replace(record, reason=reason, detail=detail), None

    if is_clutter(member.name):
        return left_out("not an image", said("left by a system or a program", "lo dejó un programa"))
    if member.error:
        return left_out(member.reason, member.error)
    if class_name is None:
        return left_out("outside the classes", said("its place gives it no class", "por su lugar no es de una clase"))
    if member.data is None:
        return left_out("too large", f"{said('more than', 'más de')} {MAX_FILE_BYTES:,} bytes")
    record = replace(record, sha256=hashlib.sha256(member.data).hexdigest())
    try:
        image = open_image(member.data)
        width, height, mode = *image.size, image.mode
        record = replace(record, width=width, height=height, format=image.format or "", mode=mode)
        pixels = prepare(decode_opened(image, member.data), size or 64)
    except ImageError as error:
        return left_out(error.reason, str(error))
    return replace(record, status=USED), pixels


def leave_out_duplicates(records: Sequence[Record]) -> list[Record]:
    """Keeps one of several images with the same bytes, the first by id, and none where their classes differ.

    Returns:
        All records, ordered by id; numbers in ids count as numbers.
    """
    ordered = sorted(_tell_apart(records), key=lambda record: _natural_order(record.id))
    same = defaultdict(list)
    for record in ordered:
        if record.status == USED:
            same[record.sha256].append(record)
    changed = {}
    for first, *others in same.values():
        leave_out, reason = others, "duplicate"
        detail = f"{said('the same bytes as', 'los mismos bytes que')} {first.id}"
        if any(record.class_name != first.class_name for record in others):
            leave_out, reason = [first, *others], "contradictory"
            detail = said("the same bytes under two classes", "los mismos bytes en dos clases")
            detail += f": {', '.join(record.id for record in leave_out)}"
        for record in leave_out:
            changed[record.id] = replace(record, status=LEFT_OUT, reason=reason, detail=detail)
    return [changed.get(record.id, record) for record in ordered]


def _tell_apart(records: Sequence[Record]) -> list[Record]:
    """Each file with an id of its own: "é.jpg" spelt in two ways of Unicode, or one name twice in a zip."""
    taken, result = {record.id for record in records}, []
    seen = set()
    for record in records:
        name, number = record.id, 2
        while name in seen or (number > 2 and name in taken):
            path = PurePosixPath(record.id)
            name, number = str(path.with_name(f"{path.stem} ({number}){path.suffix}")), number + 1
        seen.add(name)
        result.append(replace(record, id=name))
    return result


def require_images(manifest: Manifest, classes: Sequence[str]) -> None:
    """Makes sure that every class has an image that can be used.

    Raises:
        DatasetError: a class has none; says what became of its files.
    """
    used = {record.class_name for record in manifest.used}
    for name in classes:
        if name not in used:
            left_out = [record for record in manifest.left_out if record.class_name == name]
            language = said("en", "es")
            came = "; ".join(
                f"{REASONS[reason][language]}: {n} ({next(r.detail for r in left_out if r.reason == reason)})"
                for reason, n in Counter(record.reason for record in left_out).items()
            )
            raise DatasetError(
                said(
                    f"Class {name!r} of {manifest.name} should have images, and has none that can be used: "
                    f"{came or 'no files at all'}. Add images to it, see that they may be read, or remove its folder.",
                    f"La clase {name!r} de {manifest.name} debería tener imágenes, y no tiene ninguna que se pueda "
                    f"usar: {came or 'ningún archivo'}. Añádale imágenes, compruebe que se puedan leer o quite su "
                    "carpeta.",
                )
            )


def _natural_order(image_id: str) -> list:
    # Text and numbers alternate, so that equal places hold equal kinds; the id itself decides between "1" and "01".
    parts = re.split(r"([0-9]+)", image_id)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)] + [image_id]
