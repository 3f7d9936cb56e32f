"""Connections on the event loop: the part that differs between the two faces.

Real sockets of the event loop and not the other face on threads: a handler that is cancelled stops
what it waits for, and a thousand waiting calls need no thousand threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from ..wire import Address, slices

READ_BYTES = 64 << 10
# Idle connections that are kept to one address, and for how long: servers close theirs sooner or
# later, and one that is closed just when it is used again fails a request.
IDLE_MAX = 32
IDLE_SECONDS_MAX = 15.0

sleep = asyncio.sleep


class Connection:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._expired = False
        self.idle_since = 0.0

    @classmethod
    async def open(
        cls, address: Address, timeout: float | None, tls: ssl.SSLContext | None
    ) -> Connection:
        """Connects. Raises `OSError`, which a `TimeoutError` is too."""
        if address.scheme == "https" and tls is None:
            tls = ssl.create_default_context()
        opening = asyncio.open_connection(
            address.host, address.port, ssl=tls if address.scheme == "https" else None
        )
        try:
            return cls(*await asyncio.wait_for(opening, timeout))
        except asyncio.TimeoutError:
            raise TimeoutError(f"no connection after {timeout} s") from None

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Writes all of it; the time is for each part that goes out."""
        for part in slices(data):
            self._writer.write(part)
            with self._watch(timeout):
                await self._writer.drain()

    async def receive(self, timeout: float | None) -> bytes:
        """What has come; nothing when the other side is done."""
        with self._watch(timeout):
            return await self._reader.read(READ_BYTES)

    @contextlib.contextmanager
    def _watch(self, timeout: float | None) -> Any:
        if timeout is None:
            yield
            return
        # A timer that breaks the connection costs less than a task for each read.
        timer = asyncio.get_running_loop().call_later(timeout, self._expire)
        try:
            yield
        except OSError as error:
            if not self._expired:
                raise
            raise TimeoutError(f"no answer for {timeout} s") from error
        finally:
            timer.cancel()
        if self._expired:
            raise TimeoutError(f"no answer for {timeout} s")

    def _expire(self) -> None:
        self._expired = True
        self._writer.transport.abort()

    def is_fresh(self) -> bool:
        """Whether it may be used once more."""
        is_old = time.monotonic() - self.idle_since > IDLE_SECONDS_MAX
        return not (is_old or self._reader.at_eof() or self._writer.transport.is_closing())

    def close(self) -> None:
        """Ends it without waiting for anything."""
        self._writer.transport.abort()


class Pool:
    """Connections that wait to be used again. Each event loop has its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_loops: dict[Any, dict[Address, list[Connection]]] = {}

    def _idle(self, address: Address) -> list[Connection]:
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._of_loops:
                # What waits for a loop that is over waits for ever: it goes with its loop.
                for other in [other for other in self._of_loops if other.is_closed()]:
                    del self._of_loops[other]
            return self._of_loops.setdefault(loop, {}).setdefault(address, [])

    def take(self, address: Address) -> Connection | None:
        """A connection that is open, the one that was used last."""
        idle = self._idle(address)
        while idle:
            connection = idle.pop()
            if connection.is_fresh():
                return connection
            connection.close()
        return None

    def give(self, address: Address, connection: Connection) -> None:
        """Keeps a connection whose answer was read to its end."""
        idle = self._idle(address)
        connection.idle_since = time.monotonic()
        idle.append(connection)
        if len(idle) > IDLE_MAX:
            idle.pop(0).close()

    def close(self) -> None:
        """Ends all that wait, each on its own loop."""
        with self._lock:
            of_loops, self._of_loops = self._of_loops, {}
        for loop, of_loop in of_loops.items():
            waiting = [connection for idle in of_loop.values() for connection in idle]
            if loop is asyncio._get_running_loop():
                _close_all(waiting)
                continue
            # A loop that is over refuses this; its connections are gone when nobody has them.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_close_all, waiting)


def _close_all(connections: list[Connection]) -> None:
    for connection in connections:
        connection.close()


async def pieces_of(body: Any) -> AsyncIterator[bytes]:
    """The pieces of a body: of a file, an iterator or an async iterator."""
    if hasattr(body, "__aiter__"):
        async for piece in body:
            yield piece
    elif hasattr(body, "read"):
        while piece := await asyncio.to_thread(body.read, READ_BYTES):
            yield piece
    else:
        done = object()
        pieces = iter(body)
        while (piece := await asyncio.to_thread(next, pieces, done)) is not done:
            yield piece


def is_in_the_way() -> bool:
    """Whether calls of this face keep others from running where this is asked."""
    return False


async def in_thread(work: Any, *args: Any) -> Any:
    """Does what blocks without blocking the event loop."""
    return await asyncio.to_thread(work, *args)
