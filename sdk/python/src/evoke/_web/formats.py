"""Forms of texts, for JSON Schema."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import lru_cache

__all__ = ["FORMATS", "expression"]

_ZONE = r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# What is longer is refused unseen: it is none, and expressions take their time with it.
_EMAIL_LEN_MAX = 254
_HOST_LEN_MAX = 253


def _fits(pattern: str) -> Callable[[str], bool]:
    # Digits of other scripts are none.
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    """A day that there is: no 30th of February."""
    from datetime import date

    try:
        return _has_form_of_date(text) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_instant(text: str) -> bool:
    return _is_date(text[:10]) and text[10:11] in ("T", "t") and _is_time_of_zone(text[11:])


def _is_email(text: str) -> bool:
    return len(text) <= _EMAIL_LEN_MAX and _has_form_of_email(text)


def _is_host(text: str) -> bool:
    return len(text) <= _HOST_LEN_MAX and all(map(_is_label, text.split(".")))


def _is_ipv6(text: str) -> bool:
    try:
        return bool(socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return False


_has_form_of_date = _fits(r"\d{4}-\d\d-\d\d")
_has_form_of_email = _fits(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_is_time_of_zone = _fits(_TIME + _ZONE)
_is_label = _fits(_LABEL)

# The formats that are known, and who tells whether a text has them.
FORMATS: dict[str, Callable[[str], bool]] = {
    "date": _is_date,
    "date-time": _is_instant,
    "email": _is_email,
    "hostname": _is_host,
    "ipv4": _fits(r"((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}"),
    "ipv6": _is_ipv6,
    "time": _fits(f"{_TIME}{_ZONE}?"),
    "uri": _fits(r"[A-Za-z][A-Za-z0-9+.-]*:\S*"),
    "uuid": _fits(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
}


@lru_cache
def expression(pattern: str) -> re.Pattern[str]:
    """An expression as JSON Schema means it: `$` is the very end, and not what is before the last
    line break.

    Raises `ValueError` for what is none.
    """
    parts = r"(\\.|\[(?:\\.|[^\]\\])*\])|\$"
    try:
        return re.compile(re.sub(parts, lambda found: found[1] or r"\Z", pattern, flags=re.S))
    except re.error as error:
        raise ValueError(f"{pattern!r} is no expression: {error}") from None
