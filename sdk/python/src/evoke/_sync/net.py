"""Connections that block the thread: the part that differs between the two faces."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..wire import Address, slices

if TYPE_CHECKING:
    import ssl

READ_BYTES = 64 << 10
# Idle connections that are kept to one address, and for how long: servers close theirs sooner or
# later, and one that is closed just when it is used again fails a request.
IDLE_MAX = 32
IDLE_SECONDS_MAX = 15.0

sleep = time.sleep


class Connection:
    """One connection to a server."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.idle_since = 0.0

    @classmethod
    def open(
        cls, address: Address, timeout: float | None, tls: ssl.SSLContext | None
    ) -> Connection:
        """Connects. Raises `OSError`, which a `TimeoutError` is too."""
        sock = socket.create_connection((address.host, address.port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "http":
            return cls(sock)
        import ssl

        context = tls or ssl.create_default_context()
        return cls(context.wrap_socket(sock, server_hostname=address.host))

    def send(self, data: bytes, timeout: float | None) -> None:
        """Writes all of it; the time is for each part that goes out."""
        self._socket.settimeout(timeout)
        for part in slices(data):
            self._socket.sendall(part)

    def receive(self, timeout: float | None) -> bytes:
        """What has come; nothing when the other side is done."""
        self._socket.settimeout(timeout)
        return self._socket.recv(READ_BYTES)

    def is_fresh(self) -> bool:
        """Whether it may be used once more."""
        if time.monotonic() - self.idle_since > IDLE_SECONDS_MAX:
            return False
        # Something to read where nothing was asked is the end of the connection.
        return not _has_come(self._socket)

    def close(self) -> None:
        """Ends it without waiting for anything."""
        self._socket.close()


class Pool:
    """Connections that wait to be used again, by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Address, list[Connection]] = {}
        self._process = os.getpid()

    def take(self, address: Address) -> Connection | None:
        """A connection that is open, the one that was used last."""
        while True:
            with self._lock:
                if self._process != os.getpid():
                    # A child has copies of its parent's connections, which are not its own.
                    self._process = os.getpid()
                    self._idle = {}
                idle = self._idle.get(address)
                connection = idle.pop() if idle else None
            if connection is None or connection.is_fresh():
                return connection
            connection.close()

    def give(self, address: Address, connection: Connection) -> None:
        """Keeps a connection whose answer was read to its end."""
        connection.idle_since = time.monotonic()
        surplus = None
        with self._lock:
            idle = self._idle.setdefault(address, [])
            idle.append(connection)
            if len(idle) > IDLE_MAX:
                surplus = idle.pop(0)
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Ends all that wait."""
        with self._lock:
            waiting = [connection for idle in self._idle.values() for connection in idle]
            self._idle = {}
        for connection in waiting:
            connection.close()


def _has_come(sock: socket.socket) -> bool:
    """Whether there is something to read."""
    if not hasattr(select, "poll"):
        # Windows has only this, and there it takes any socket.
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def pieces_of(body: Any) -> Iterator[bytes]:
    """The pieces of a body: of a file or an iterator."""
    if hasattr(body, "read"):
        while piece := body.read(READ_BYTES):
            yield piece
    else:
        yield from body


def is_in_the_way() -> bool:
    """Whether calls of this face keep others from running where this is asked."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def in_thread(work: Any, *args: Any) -> Any:
    """Does what blocks right here: this face may."""
    return work(*args)
