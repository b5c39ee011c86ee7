"""One file over HTTP: resumed after a break, tried again after a short rest, checked before it takes its place."""

import contextlib
import errno
import hashlib
import itertools
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tlhelpers.data.sources import RemoteFile
from tlhelpers.errors import DownloadError, TlhelpersError, said
from tlhelpers.paths import NO_ROOM, explain_full_disk, locked

TRIES = 4  # per address, in a row without progress
BACKOFF = 0.5  # seconds before the second try; doubled for each further one
TIMEOUT = 30.0  # seconds without an answer
SLOWEST = 4096  # bytes a second, on average over TIMEOUT; less is no progress
_PIECE = 1 << 18  # bytes
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class NoAnswerError(Exception):
    """No mirror gave the file: no connection, or an HTTP error. Says why, address by address."""


class _NoRangeError(Exception):
    """The server did not send what follows the bytes that are there."""


def download(file: RemoteFile, target: Path, progress: bool = True) -> Path:
    """Brings a file from the first of its mirrors that gives it, whole and with the right checksum.

    What arrived before a break is kept beside the target as `NAME.part`, and a later call goes on from there.

    Args:
        file: What to bring.
        target: Where to put it; the folder is created.
        progress: Whether to show a bar.

    Raises:
        NoAnswerError: no mirror answered with the file.
        DownloadError: a mirror gave something, but it broke off, or is not the file that was expected.
        TlhelpersError: no room is left on the disk, or the variable for certificates names no file.
    """
    _check_certificates()
    with locked(target):
        if target.exists():  # another process was quicker
            return target
        part, refusals, broken = target.with_name(target.name + ".part"), [], None
        for url in file.urls:
            try:
                _from_mirror(url, file, part, progress)
                os.replace(part, target)
                return target
            except NoAnswerError as error:
                refusals.append(f"{url}: {error}")
            except DownloadError as error:
                broken = error
        if broken is not None:
            raise broken
        raise NoAnswerError("; ".join(refusals))


def _from_mirror(url: str, file: RemoteFile, part: Path, progress: bool) -> None:
    """Fills `part` from one mirror; a second time from the first byte where an old beginning spoilt the result."""
    if part.exists():
        with open(part, "rb") as content:
            begins = content.read(8)
        if _size(part) > file.size or not _begins_right(begins, file):
            part.unlink()
    while True:
        resumed = part.exists()
        _fill(url, part, file, progress)
        try:
            return _check(url, part, file)
        except DownloadError:
            if not resumed:
                raise


def _fill(url: str, part: Path, file: RemoteFile, progress: bool) -> None:
    """Brings the rest of a file into `part`, with new tries after errors that may pass."""
    import requests
    import urllib3
    from tqdm.auto import tqdm

    tries, ranges, last = 0, True, None
    look = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "disable": not progress}
    with tqdm(total=file.size, desc=part.name.removesuffix(".part"), **look) as bar:
        while (have := _size(part)) < file.size and tries < TRIES:
            if tries:
                time.sleep(BACKOFF * 2 ** (tries - 1))
            try:
                _request_rest(url, part, file, bar, ranges)
                last = said("the connection ended", "la conexión terminó")
            except _NoRangeError:
                ranges, last = False, said("the server refused the range", "el servidor rechazó el rango")
            except requests.HTTPError as error:
                last = f"HTTP status {error.response.status_code} {error.response.reason or ''}".rstrip()
                if error.response.status_code < 500 and error.response.status_code != 429:
                    raise NoAnswerError(last) from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, NoAnswerError, ValueError) as error:
                last = _reason(url, error)
            tries = 1 if _size(part) - have >= SLOWEST * TIMEOUT else tries + 1
    if have == file.size:
        return
    if not have:
        raise NoAnswerError(last)
    raise DownloadError(
        said(
            f"The download of {url} broke off at {have:,} bytes of {file.size:,} ({last}). "
            "Try again: it goes on where it stopped.",
            f"La descarga de {url} se cortó en {have:,} bytes de {file.size:,} ({last}). "
            "Inténtelo otra vez: sigue donde se detuvo.",
        )
    )


def _request_rest(url: str, part: Path, file: RemoteFile, bar, ranges: bool) -> None:
    """One request for what is missing; returns when the server has sent all that it had to say.

    Nothing is written before it is clear that the answer is the file: a Wi-Fi network's login page comes as 200, too.
    """
    have = _size(part)
    # Compressed on the way, a range would count other bytes than those of the file.
    headers = {"Accept-Encoding": "identity"}
    if have and ranges:
        headers["Range"] = f"bytes={have}-"
    answer, pieces = _ask(url, headers)
    if answer.status_code == 416 and "Range" in headers:
        raise _NoRangeError
    answer.raise_for_status()
    start, total = _range(answer)
    if start > have:
        raise _NoRangeError
    first = next(pieces, b"")
    if not (start or first):
        raise NoAnswerError(said("the answer was empty", "la respuesta estaba vacía"))
    # A page may come packed, so its bytes need not show it.
    page = "html" in answer.headers.get("Content-Type", "") or first.lstrip().startswith(b"<")
    if page or total not in (None, file.size) or not (start or _begins_right(first, file)):
        if "Range" in headers and not page:
            raise _NoRangeError
        raise _other_content(url, answer, page, file, have)
    bar.n = have
    bar.refresh()
    place = start
    with explain_full_disk(part.parent):
        try:
            if file.size - have > shutil.disk_usage(part.parent).free:
                raise OSError(errno.ENOSPC, f"{file.size - have:,} bytes are to come, more than is free")
            with open(part, "ab") as out:
                for piece in itertools.chain([first], pieces):
                    new = piece[max(0, have - place) : file.size - place]  # a server without ranges sends all again
                    place += len(piece)
                    out.write(new)
                    bar.update(len(new))
                    if place >= file.size:  # some send on and on
                        return
        except OSError as error:  # a beginning is kept for the next try, except where it is what fills the disk
            if error.errno in NO_ROOM:
                part.unlink(missing_ok=True)
            raise


def _ask(url: str, headers: dict[str, str]) -> tuple:
    """The answer to a request, and its bytes as they come; ends with an error where so few come that there is no end.

    A thread asks, since a server may let it wait wherever it reads: each byte of a header is a sign of life.
    """
    arrived = queue.Queue(4)
    threading.Thread(target=_listen, args=(url, headers, arrived), daemon=True).start()
    arrivals = _take(arrived)
    return next(arrivals), arrivals


def _take(arrived: queue.Queue) -> Iterator:
    since, came = time.monotonic(), 0
    while True:
        seconds = time.monotonic() - since
        if seconds >= TIMEOUT:
            if (rate := came / seconds) < SLOWEST:
                words = said("only {:,.0f} bytes a second came", "solo llegaban {:,.0f} bytes por segundo")
                raise NoAnswerError(words.format(rate))
            since, came, seconds = time.monotonic(), 0, 0
        with contextlib.suppress(queue.Empty):
            item = arrived.get(timeout=TIMEOUT - seconds)
            if isinstance(item, Exception):
                raise item
            if item == b"":
                return
            came += len(item) if isinstance(item, bytes) else 0
            yield item


def _listen(url: str, headers: dict[str, str], arrived: queue.Queue) -> None:
    """Puts the answer, its pieces and b"", or an error; gives up where nobody takes them any more."""
    import requests

    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            arrived.put(answer, timeout=TIMEOUT)
            # Not `iter_content`: it would unpack what a server calls "Content-Encoding: gzip", as some do for .tar.gz.
            # `read1` brings what is there, without waiting for a whole piece; urllib3 2 has it.
            read, piece = getattr(answer.raw, "read1", answer.raw.read), answer.raw.read(8, decode_content=False)
            while piece:
                arrived.put(piece, timeout=TIMEOUT)
                piece = read(_PIECE, decode_content=False)
        arrived.put(b"", timeout=TIMEOUT)
    except Exception as error:
        with contextlib.suppress(queue.Full):
            arrived.put(error, timeout=TIMEOUT)


def _range(answer) -> tuple[int, int | None]:
    """Place of the first byte that an answer brings, and the length of the whole; None where it does not say."""
    length = answer.headers.get("Content-Length", "")
    if answer.status_code != 206:
        return 0, int(length) if length.isdecimal() else None
    found = re.match(r"bytes (\d+)-\d*/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if not found:
        raise _NoRangeError
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _begins_right(begins: bytes, file: RemoteFile) -> bool:
    return begins.startswith(file.begins[: len(begins)])


def _other_content(url: str, answer, page: bool, file: RemoteFile, have: int) -> DownloadError:
    """The error for an answer that is not the file: says what came, and what to do."""
    kind = answer.headers.get("Content-Type", "?").partition(";")[0]
    length = answer.headers.get("Content-Length", "?")
    came, mend = f"{length} bytes ({kind})", said("Take it from another source.", "Tómelo de otra fuente.")
    if page:
        came = said(f"a web page ({kind})", f"una página web ({kind})")
        mend = said(
            "It may be the login page of a Wi-Fi network or of a proxy: open any page in a browser, log in, and try "
            "again.",
            "Puede ser la página de acceso de una red Wi-Fi o de un proxy: abra cualquier página en un navegador, "
            "identifíquese e inténtelo otra vez.",
        )
    kept = said(f"; the {have:,} bytes of before still are", f"; los {have:,} bytes de antes siguen ahí")
    return DownloadError(
        said(
            f"{url} should have {file.size:,} bytes of {file.name}, and from {answer.url} came {came}. {mend} "
            f"There is nothing to delete: nothing of it was kept{kept if have else ''}.",
            f"{url} debería tener {file.size:,} bytes de {file.name}, y de {answer.url} llegó {came}. {mend} "
            f"No hay nada que borrar: de ello no se ha guardado nada{kept if have else ''}.",
        )
    )


def _check_certificates() -> None:
    """requests raises a bare OSError where the variable names no file."""
    for variable in _CERTIFICATES:
        path = os.environ.get(variable)
        if path and not os.path.exists(path):
            raise TlhelpersError(
                said(
                    f"{variable} should name a file of certificates, and there is none at {path}. Correct the variable,"
                    " or unset it.",
                    f"{variable} debería nombrar un archivo de certificados, y no hay ninguno en {path}. Corrija la "
                    "variable o quítela.",
                )
            )


def _reason(url: str, error: Exception) -> str:
    """What kept a request from its answer, in words that name what a person can change."""
    import requests

    if isinstance(error, NoAnswerError):
        return str(error)
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
        proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or "?"
        proxy = re.sub(r"//[^/]*@", "//", proxy)  # without name and password
        why = re.search(r"Tunnel connection failed: ([\w ]+)", str(error))
        return said("the proxy {} did not help{}", "el proxy {} no ayudó{}").format(proxy, f": {why[1]}" if why else "")
    if isinstance(error, requests.exceptions.SSLError):
        return said(
            f"the server's certificate is not trusted; {_CERTIFICATES[0]} may name that of your network",
            f"el certificado del servidor no es de confianza; {_CERTIFICATES[0]} puede nombrar el de su red",
        )
    return type(error).__name__


def _check(url: str, part: Path, file: RemoteFile) -> None:
    """Compares the checksum; a file that is not the right one is removed, since it cannot be gone on with."""
    digest = hashlib.sha256()
    with open(part, "rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    if digest.hexdigest() != file.sha256:
        part.unlink()
        raise DownloadError(
            said(
                f"{url} should have the SHA-256 checksum {file.sha256}, and what came has {digest.hexdigest()}. The "
                "file was not kept. Try again; if it stays so, the file was changed on the server or on the way: take "
                "it from another source.",
                f"{url} debería tener la suma SHA-256 {file.sha256}, y lo que llegó tiene {digest.hexdigest()}. El "
                "archivo no se ha guardado. Inténtelo otra vez; si sigue así, el archivo ha cambiado en el servidor o "
                "por el camino: tómelo de otra fuente.",
            )
        )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
