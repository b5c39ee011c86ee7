"""Photos, archives, a cache of one's own, and an HTTP server that misbehaves as it is told."""

import contextlib
import ctypes
import gzip
import io
import itertools
import os
import re
import struct
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL_DATA = os.environ.get("TLHELPERS_DATA")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache, and no classroom pack."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TLHELPERS_CACHE", str(folder))
    monkeypatch.delenv("TLHELPERS_DATA", raising=False)
    return folder


@pytest.fixture
def ordinary():
    """A `preexec_fn` for `subprocess`: a process to which closed folders are closed, even where root runs the tests."""
    if os.name == "nt":
        pytest.skip("modes of folders are POSIX")

    def drop() -> None:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(24, capability)  # PR_CAPBSET_DROP

    if os.getuid():
        return None
    if not sys.platform.startswith("linux"):
        pytest.skip("root may do everything")
    return drop


@pytest.fixture
def real_data(own_cache, monkeypatch):
    """The folder with real photos, as TLHELPERS_DATA, and an empty cache."""
    if not REAL_DATA or not Path(REAL_DATA).is_dir():
        pytest.skip("TLHELPERS_DATA names no folder with real photos")
    monkeypatch.setenv("TLHELPERS_DATA", REAL_DATA)
    return Path(REAL_DATA)


@pytest.fixture
def photo():
    """Makes the bytes of a photo-like image: `photo(seed, size=(w, h), mode="RGB", format="JPEG", **save options)`."""

    def make(seed: int = 0, size: tuple[int, int] = (90, 70), mode: str = "RGB", format: str = "JPEG", **save) -> bytes:
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
        with io.BytesIO() as buffer:
            image.save(buffer, format, **save)
            return buffer.getvalue()

    return make


@pytest.fixture
def bomb():
    """The bytes of a small PNG that claims to have 100,000 × 100,000 pixels."""
    with io.BytesIO() as buffer:
        Image.new("L", (1, 1)).save(buffer, "PNG")
        data = bytearray(buffer.getvalue())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.fixture
def pets_zip(tmp_path, photo):
    """Makes a zip laid out as the Cats vs Dogs data set: `pets_zip(n per class, extra members, path)`."""

    def make(n: int = 6, extra: dict[str, bytes] | None = None, path: Path | None = None) -> Path:
        path = path or tmp_path / "pets.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for offset, species in enumerate(("Cat", "Dog")):
                for i in range(n):
                    archive.writestr(f"PetImages/{species}/{i}.jpg", photo(2 * i + offset))
            for name, data in (extra or {}).items():
                archive.writestr(name, data)
        return path

    return make


class BreakingServer:
    """Serves `files` (path to bytes) on 127.0.0.1.

    `plans` gives for a path what to do at each request, in turn, then "serve": an HTTP status such as "500"; "break:N"
    (announce everything, send N bytes, hang up); "hide:N" (announce no length, send N bytes, hang up); "short:N" (of a
    range, announce and send N bytes); "drip:S" (announce everything, send a byte every S seconds; "head:S" and
    "chunk:S": of a header, or of the length of a first piece, that never ends); "endless" (the file, and on and on);
    "mute" (send a range and do not say which); "page" (200 and `page`, as a Wi-Fi network does that wants a login;
    "page:text/plain": as that type; "page:": without a type and a length); "packed" (such a page, zipped, without a
    length); "away" (to an address that is none).
    `ranges` tells whether it knows ranges. `log` has (path, Range header or None) of each request.
    """

    page = b"\n<!DOCTYPE html><html>Please log in to SchoolNet</html>"

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.plans: dict[str, list[str]] = {}
        self.ranges = True
        self.log: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.log.append((request.path, wanted))
        plan = self.plans.get(request.path, [])
        step = plan.pop(0) if plan else "serve"
        if step.isdigit() or request.path not in self.files:
            request.send_error(int(step) if step.isdigit() else 404)
            return
        kind, _, n = step.partition(":")
        if kind == "page":
            self.answer_page(request, n if ":" in step else "text/html; charset=utf-8")
            return
        if kind in ("packed", "away"):
            request.send_response(302 if kind == "away" else 200)
            request.send_header(
                "Location" if kind == "away" else "Content-Type", ["http://[login/", "text/html"][kind != "away"]
            )
            request.end_headers()
            request.close_connection = True
            request.wfile.write(gzip.compress(self.page) if kind == "packed" else b"")
            return
        if kind in ("head", "chunk"):
            lines = b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            self.drip(request, itertools.chain([lines[kind == "chunk"]], itertools.repeat(b"0")), n)
            return
        data, start = self.files[request.path], 0
        if wanted and self.ranges:
            start = int(re.match(r"bytes=(\d+)-", wanted).group(1))
            if start >= len(data):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(data)}")
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            request.send_response(206)
            end = start + int(n) if kind == "short" else len(data)
            if kind != "mute":
                request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            request.send_response(200)
            end = len(data)
        if kind not in ("hide", "endless"):
            request.send_header("Content-Length", str(end - start))
        if request.path.endswith(".gz"):  # as some servers do, which makes clients unpack the archive on the way
            request.send_header("Content-Encoding", "x-gzip")
        request.end_headers()
        request.close_connection = True
        if kind == "endless":
            self.drip(request, itertools.chain([data], itertools.repeat(b"more")), "0.001")
            return
        if kind == "drip":
            self.drip(request, (data[place : place + 1] for place in range(start, end)), n)
            return
        request.wfile.write(data[start : start + int(n)] if n else data[start:])

    def drip(self, request: BaseHTTPRequestHandler, pieces: Iterable[bytes], seconds: str) -> None:
        request.close_connection = True
        with contextlib.suppress(OSError):  # the client has had enough
            for piece in pieces:
                request.wfile.write(piece)
                time.sleep(float(seconds))

    def answer_page(self, request: BaseHTTPRequestHandler, kind: str) -> None:
        request.send_response(200)
        if kind:
            request.send_header("Content-Type", kind)
            request.send_header("Content-Length", str(len(self.page)))
        request.end_headers()
        request.wfile.write(self.page)
        request.close_connection = True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    server = BreakingServer()
    yield server
    server.close()
