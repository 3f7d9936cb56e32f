"""Values on the way to the server and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._web.messages import encode

__all__ = ["body_of", "duration", "encode", "instant", "parse", "segment", "segments"]

if TYPE_CHECKING:
    from datetime import datetime, timedelta

_TIME = r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)"


def body_of(value: Any) -> bytes:
    """A value as JSON: times in RFC 3339, sets as lists, dataclasses and models as objects."""
    return encode(value).encode()


def parse(data: bytes) -> Any:
    """What JSON says; `None` for nothing."""
    return json.loads(data) if data else None


def instant(text: str) -> datetime:
    """A time in RFC 3339. Fractions finer than microseconds are cut off."""
    import re
    from datetime import datetime

    found = re.fullmatch(_TIME, text)
    if found is None:
        raise ValueError(f"{text!r} is no time in RFC 3339")
    day, time, fraction, zone = found.groups()
    fraction = (fraction or "")[:6].ljust(6, "0")
    zone = "+00:00" if zone in "Zz" else zone
    return datetime.fromisoformat(f"{day}T{time}.{fraction}{zone}")


def duration(value: str | float | timedelta) -> str:
    """A duration as the server reads it, from a text like `5m`, from seconds or a timedelta."""
    if isinstance(value, str):
        return value
    seconds = value if isinstance(value, (int, float)) else value.total_seconds()
    return f"{round(seconds * 1000)}ms"


def segment(name: str) -> str:
    """A name as one segment of a path."""
    if not isinstance(name, str) or name in ("", ".", ".."):
        raise ValueError(f"{name!r} cannot be a name")
    return quote(name, safe="")


def segments(name: str) -> str:
    """A name with slashes as segments of a path, none of which leads elsewhere."""
    if not isinstance(name, str):
        raise ValueError(f"{name!r} cannot be a name")
    return "/".join(segment(part) for part in name.split("/"))
