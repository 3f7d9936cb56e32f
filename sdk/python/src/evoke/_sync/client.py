"""The client of a server: its services, and how a call of theirs is made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..errors import refusal
from ..retries import Retries
from ..settings import Caller, ambient
from ..values import body_of, parse
from . import net
from .transport import Answer, Outgoing, Transport

if TYPE_CHECKING:
    import ssl

    from .auth import Auth
    from .database import Database
    from .events import Events
    from .functions import Functions
    from .http import Http
    from .storage import Storage

__all__ = ["Client", "default"]

_NOTHING: Any = object()


class Client:
    """A server and in whose name it is called.

    What is not given is found out anew for each call: within a function the server that runs it
    and the token of the call under way, elsewhere `EVOKE_URL` and `EVOKE_API_KEY`. Token and key of
    the environment go to its own server only: with the `url` of another one give an `api_key`, too.
    `timeout` is how many seconds a request may wait for the server without anything coming.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float | None = 30.0,
        retries: Retries | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # Where the server is, where that was given.
        self.url = url
        self.tls = tls
        self._key = api_key
        self._timeout = timeout
        self._retries = retries or Retries()
        self._transport = Transport(self._retries, tls)
        self._has_warned = False
        # The call of a function it speaks for, where that is not the one under way.
        self._call: Mapping[str, Any] | None = None

    @classmethod
    def of_call(cls, call: Mapping[str, Any]) -> Client:
        """The client of one call of a function, which holds on threads of one's own, too. It shares
        the connections of what is imported from the package."""
        client = cls()
        client._transport = default()._transport
        client._call = call
        return client

    @cached_property
    def aio(self) -> Any:
        """The same client, to be awaited."""
        from .._async.client import Client as Waiting

        if self._call is not None:
            return Waiting.of_call(self._call)
        return Waiting(
            self.url,
            api_key=self._key,
            timeout=self._timeout,
            retries=self._retries,
            tls=self.tls,
        )

    @cached_property
    def db(self) -> Database:
        """Collections of documents."""
        from .database import Database

        return Database(self)

    @cached_property
    def storage(self) -> Storage:
        """Buckets of files."""
        from .storage import Storage

        return Storage(self)

    @cached_property
    def auth(self) -> Auth:
        """Users and their sessions."""
        from .auth import Auth

        return Auth(self)

    @cached_property
    def events(self) -> Events:
        """Sending events."""
        from .events import Events

        return Events(self)

    @cached_property
    def functions(self) -> Functions:
        """Calling functions."""
        from .functions import Functions

        return Functions(self)

    @cached_property
    def http(self) -> Http:
        """Requests to anybody, with retries."""
        from .http import Http

        return Http(self)

    def close(self) -> None:
        """Ends the connections that are kept. The client may be used again."""
        self._transport.pool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        json: Any = _NOTHING,
        body: Any = None,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
        repeatable: bool | None = None,
        timeout: float | None = _NOTHING,
    ) -> Answer:
        """Sends a request to the server and gives its answer, whose body is still to be read.

        `path` is what comes behind the server's address. Raises `EvokeError` for a status of 400 or
        more.
        """
        caller = self.caller()
        told = {**caller.headers(), **(headers or {})}
        if bearer is not None:
            told["authorization"] = f"Bearer {bearer}"
        if json is not _NOTHING:
            body = body_of(json)
            told.setdefault("content-type", "application/json")
        outgoing = Outgoing(
            method,
            caller.url.rstrip("/") + path + _query(query),
            told,
            body,
            length=length,
            timeout=self._timeout if timeout is _NOTHING else timeout,
        )
        outgoing.repeatable = repeatable
        outgoing.deadline = caller.deadline
        self._warn_if_in_the_way()
        answer = self._transport.send(outgoing)
        if answer.status < 400:
            return answer
        what = f"{method} {path}"
        error = refusal(answer.status, _told(answer.read()), answer.headers, what)
        if error.status == 401 and caller.token is None and caller.is_worker:
            error.message += " (no call is under way here: a token comes with each call)"
        raise error

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The same, and reads the answer as JSON; `None` where there is no body."""
        answer = self.send(method, path, **options)
        return parse(answer.read())

    def caller(self) -> Caller:
        """Where a request would go right now, and in whose name."""
        return ambient(self.url, self._key, self._call)

    def _warn_if_in_the_way(self) -> None:
        if net.is_in_the_way() and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "a call that blocks was made on the event loop, where all other calls wait for it;"
                " import from evoke.aio and await",
                RuntimeWarning,
                stacklevel=5,
            )


def _query(query: Mapping[str, Any] | list[tuple[str, Any]] | None) -> str:
    pairs = list(query.items()) if isinstance(query, Mapping) else query or []
    given = [(name, value) for name, value in pairs if value is not None]
    return "?" + urlencode(given) if given else ""


def _told(body: bytes) -> Any:
    try:
        return parse(body)
    except ValueError:
        return None


_default: Client | None = None


def default() -> Client:
    """The client of what is imported from the package."""
    global _default
    if _default is None:
        _default = Client()
    return _default
