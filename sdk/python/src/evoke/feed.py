"""Server-sent events, taken apart."""

from __future__ import annotations

import codecs
from typing import NamedTuple

__all__ = ["Message", "Messages"]


class Message(NamedTuple):
    """One of them."""

    event: str
    data: str
    id: str


class Messages:
    """Cuts messages out of the bytes that come."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._event = self._id = ""
        self._data: list[str] = []
        # Where to go on: a message may tell nothing else, and is not given then.
        self.last_id = ""

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that are complete with these bytes."""
        text = self._line + self._decoder.decode(piece)
        # A line break of two characters may be cut in two.
        held = "\r" if text.endswith("\r") else ""
        lines = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line = lines.pop() + held
        return [message for line in lines if (message := self._take(line)) is not None]

    def _take(self, line: str) -> Message | None:
        if line:
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "data":
                self._data.append(value)
            elif name == "event":
                self._event = value
            elif name == "id" and "\0" not in value:
                self._id = value
            return None
        self.last_id = self._id
        data, self._data = self._data, []
        event, self._event = self._event, ""
        return Message(event or "message", "\n".join(data), self._id) if data else None
