"""Sending events."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..answers import Published
from ..values import duration

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from .client import Client

NAMES = frozenset(
    ("type", "data", "source", "subject", "id", "ordering_key", "time", "deliver_at", "delay")
)


class Events:
    """Events of a project."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def publish(
        self,
        type: str,
        data: Any = None,
        *,
        source: str | None = None,
        subject: str | None = None,
        id: str | None = None,
        ordering_key: str | None = None,
        time: datetime | str | None = None,
        deliver_at: datetime | str | None = None,
        delay: str | float | timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> Published:
        """Sends an event; it is durable when this returns.

        An event with an `id` is taken once for each source and id, a request once for each
        `idempotency_key`; one is made where none is given, so that what is repeated after a broken
        connection counts once. `delay` (`"5m"`, or seconds) and `deliver_at` hold back what the
        event starts.
        """
        event = {
            "type": type,
            "data": data,
            "source": source,
            "subject": subject,
            "id": id,
            "ordering_key": ordering_key,
            "time": time,
            "deliver_at": deliver_at,
            "delay": delay,
        }
        return self._send(_written(event), idempotency_key)

    def publish_many(
        self, events: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> Published:
        """Sends several events, all or none, as dicts of what `publish` takes."""
        written = [_written(event) for event in events]
        return self._send(written, idempotency_key) if written else Published(ids=[])

    def _send(self, written: Any, key: str | None) -> Published:
        headers = {"idempotency-key": key or os.urandom(16).hex()}
        path = "/api/events"
        return Published(self._client.call("POST", path, json=written, headers=headers))


def _written(event: Mapping[str, Any]) -> dict[str, Any]:
    unknown = [name for name in event if name not in NAMES]
    if unknown:
        raise TypeError(f"an event has no {unknown[0]!r}; it has {', '.join(sorted(NAMES))}")
    written = {name: value for name, value in event.items() if value is not None}
    if "delay" in written:
        written["delay"] = duration(written["delay"])
    return written
