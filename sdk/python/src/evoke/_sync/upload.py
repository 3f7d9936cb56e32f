"""Large files, in parts: what breaks is repeated by itself, not from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..answers import FileInfo
from ..errors import EvokeError
from . import net

if TYPE_CHECKING:
    from .client import Client


def upload_in_parts(client: Client, path: str, begun: dict[str, Any], data: Any) -> FileInfo:
    """Uploads bytes, or a file that is open, of which the number of bytes is known."""
    upload = client.call("POST", path, json=begun)
    place = f"{path}/{upload['id']}"
    size = int(upload["part_size"])
    try:
        number = 0
        while True:
            if isinstance(data, bytes):
                part = data[number * size : (number + 1) * size]
            else:
                part = net.in_thread(_read, data, size)
            number += 1
            if part or number == 1:
                client.call("PUT", f"{place}/parts/{number}", body=part)
            if len(part) < size:
                break
        return FileInfo.of(client.call("POST", f"{place}/complete", json={}))
    except BaseException:
        # What was sent is of no use; the server forgets it by itself where this does not help.
        try:
            client.call("DELETE", place)
        except EvokeError:
            pass
        raise


def _read(file: Any, size: int) -> bytes:
    """As many bytes as there are, up to that: a file may give fewer at a time."""
    pieces, left = [], size
    while left and (piece := file.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
