"""HTTP/1.1 as bytes: requests are written, answers are taken apart. Nothing here does I/O, so both
faces of the package use it.

It is here because the language's own client is synchronous only, costs a start 20 ms where this
costs 2, and a package of functions that are there without installing anything can use nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ._web.messages import Headers

__all__ = [
    "Address",
    "Broken",
    "Decoder",
    "Head",
    "address_of",
    "head_of",
    "request_head",
    "slices",
]

# A server that answers with more than this before the body begins is broken or hostile.
HEAD_BYTES_MAX = 64 << 10
# What is written at once: a timeout is for each of these, however large the whole is.
SLICE_BYTES = 64 << 10
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Broken(Exception):
    """The other side does not speak HTTP, or stopped in the middle of it."""


class Address(NamedTuple):
    """Whom to connect to."""

    scheme: str
    host: str
    port: int

    def authority(self) -> str:
        """As the header `Host` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


def address_of(url: str) -> tuple[Address, str]:
    """Whom to connect to for an URL, and what to ask for there."""
    from urllib.parse import quote, urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of http or https")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    # What is written in an URL by hand may have letters and spaces that a request cannot have.
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._[]")
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode()
    return Address(parts.scheme, host, port), target


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The beginning of a request.

    Raises `ValueError` for what would break out of its place.
    """
    if not method or not _TOKEN.issuperset(method) or any(c <= " " or c == "\x7f" for c in target):
        raise ValueError(f"{method!r} {target!r} is no request")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers:
        if not name or not _TOKEN.issuperset(name):
            raise ValueError(f"{name!r} is no name of a header")
        if any(letter in "\r\n\0" for letter in value):
            raise ValueError(f"the header {name!r} has characters a header cannot have")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def slices(data: bytes) -> Iterator[memoryview]:
    """Bytes as they are written, none of them copied."""
    view = memoryview(data)
    for start in range(0, len(view), SLICE_BYTES):
        yield view[start : start + SLICE_BYTES]


class Head(NamedTuple):
    """The beginning of an answer."""

    status: int
    headers: Headers
    stays_open: bool

    def is_interim(self) -> bool:
        """Whether the answer itself is still to come."""
        return 100 <= self.status < 200


def head_of(text: bytes) -> Head:
    """Reads what stands before the empty line."""
    first, *lines = text.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not (rest[:3].isdigit() and rest[3:4] in ("", " ")):
        raise Broken(f"the answer begins with {first[:60]!r}, which is not HTTP")
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.issuperset(name):
            raise Broken(f"the answer has a header that is none: {line[:60]!r}")
        pairs.append((name, value.strip(" \t")))
    headers = Headers(pairs)
    connection = headers.get("connection", "").lower()
    stays = "close" not in connection if version == "HTTP/1.1" else "keep-alive" in connection
    return Head(int(rest[:3]), headers, stays)


class Decoder:
    """Takes the bytes of one answer's body out of those that come."""

    def __init__(self, method: str, head: Head) -> None:
        self.is_done = False
        # Whether its end is told by the end of the connection only.
        self.is_open = False
        # Whether more came than belongs to it, so that the connection cannot be trusted.
        self.has_surplus = False
        self._kept = b""
        self._left = 0
        self._chunked = False
        if method == "HEAD" or head.status in (204, 304):
            self.is_done = True
        elif "chunked" in head.headers.get("transfer-encoding", "").lower():
            self._chunked = True
            self._state = self._size
        elif (length := head.headers.get("content-length")) is not None:
            self._left = _length(length)
            self.is_done = self._left == 0
        else:
            self.is_open = True

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body that these bytes hold."""
        if self.is_done or not data:
            self.has_surplus = self.has_surplus or bool(data)
            return []
        if self.is_open:
            return [data]
        if not self._chunked:
            piece = data[: self._left]
            self.has_surplus = len(data) > self._left
            self._left -= len(piece)
            self.is_done = self._left == 0
            return [piece]
        self._kept += data
        pieces: list[bytes] = []
        while not self.is_done and self._state(pieces):
            pass
        self.has_surplus = self.is_done and self._kept != b""
        return pieces

    def end(self) -> None:
        """Nothing more comes."""
        if self.is_open:
            self.is_done = True
        if not self.is_done:
            raise Broken("the connection ended in the middle of the answer")

    def _line(self) -> bytes | None:
        line, found, rest = self._kept.partition(b"\r\n")
        if not found:
            if len(line) > HEAD_BYTES_MAX:
                raise Broken("the answer has a line without an end")
            return None
        self._kept = rest
        return line

    def _size(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        try:
            self._left = int(line.partition(b";")[0].strip(), 16)
        except ValueError:
            raise Broken(f"{line[:40]!r} is no size of a chunk") from None
        self._state = self._data if self._left else self._trailer
        return True

    def _data(self, pieces: list[bytes]) -> bool:
        if self._left:
            piece, self._kept = self._kept[: self._left], self._kept[self._left :]
            self._left -= len(piece)
            if piece:
                pieces.append(piece)
        if self._left or len(self._kept) < 2:
            return False
        if self._kept[:2] != b"\r\n":
            raise Broken("a chunk is longer than it says")
        self._kept = self._kept[2:]
        self._state = self._size
        return True

    def _trailer(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        self.is_done = line == b""
        return True


def _length(text: str) -> int:
    # Several that are the same are joined with commas.
    lengths = {part.strip() for part in text.split(",")}
    length = lengths.pop()
    if lengths or not length.isdigit():
        raise Broken(f"{text[:40]!r} is no length")
    return int(length)
