"""Requests to anybody, with retries."""

from __future__ import annotations

import json as codec
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from ..errors import BAD_ANSWER, EvokeError, retry_after
from ..retries import NEVER, Retries
from ..settings import call_under_way
from ..values import body_of
from ..wire import address_of
from .transport import Answer, Outgoing, Transport

if TYPE_CHECKING:
    from .client import Client

_NOTHING: Any = object()
REDIRECTS = frozenset((301, 302, 303, 307, 308))
REDIRECTS_MAX = 10
# What belongs to one server only.
PRIVATE = frozenset(("authorization", "cookie", "proxy-authorization"))


class HttpResponse:
    """An answer, read whole unless it was asked for as a stream."""

    def __init__(self, answer: Answer, url: str) -> None:
        self._answer = answer
        self.url = url
        self.status = answer.status
        self.headers = answer.headers
        self.content = b""

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """The body as text."""
        kind = self.headers.get("content-type", "")
        _, found, charset = kind.partition("charset=")
        charset = charset.split(";")[0].strip("\"' ") if found else "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON."""
        return codec.loads(self.content)

    def raise_for_status(self) -> HttpResponse:
        """Raises `EvokeError` where the status is 400 or more, else gives itself."""
        if self.ok:
            return self
        raise EvokeError(
            f"{self.url} answered {self.status}: {self.text[:200]}",
            code=BAD_ANSWER,
            status=self.status,
            retry_after=retry_after(self.headers.get("retry-after")),
        )

    def stream(self) -> Iterator[bytes]:
        """The body as it comes, of an answer that was asked for with `stream=True`."""
        for piece in self._answer.pieces():
            yield piece

    def close(self) -> None:
        """Gives up what has not been read."""
        self._answer.close()

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status} of {self.url}>"


class Http:
    """A client of any server.

    Tried again is what is safe to repeat: `GET`, `HEAD`, `OPTIONS`, `PUT`, `DELETE`, and whatever
    has an `Idempotency-Key`, where the connection fails or the answer is 408, 425, 429 or from 500
    to 504. The last answer is given whatever its status.
    """

    def __init__(self, client: Client) -> None:
        # Connections are not shared with those of the client: these may lead anywhere.
        self._transport = Transport(Retries(), client.tls)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = _NOTHING,
        data: Any = None,
        timeout: float | None = 30.0,
        retries: Retries | int | None = None,
        idempotency_key: str | None = None,
        stream: bool = False,
    ) -> HttpResponse:
        """Sends a request and gives the answer.

        `data` is bytes, a text, a mapping that is sent as a form, an open file or an iterator;
        `timeout` is how many seconds may pass without anything coming; `retries` how often it is
        tried again (3). Raises `EvokeError` where there is no answer.
        """
        told = {name.lower(): value for name, value in (headers or {}).items()}
        body = _body(told, json, data)
        if idempotency_key is not None:
            told["idempotency-key"] = idempotency_key
        call = call_under_way() or {}
        if call.get("traceparent"):
            told.setdefault("traceparent", call["traceparent"])
        told.setdefault("accept", "*/*")
        told.setdefault("user-agent", "evoke-python")
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
        outgoing = Outgoing(method.upper(), url, told, body, timeout=timeout)
        outgoing.is_for_evoke = False
        if call.get("deadlineMs"):
            outgoing.deadline = call["deadlineMs"] / 1000
        answer = self._follow(outgoing, _patience(retries))
        response = HttpResponse(answer, outgoing.url)
        if not stream:
            response.content = answer.read()
        return response

    def _follow(self, outgoing: Outgoing, retries: Retries | None) -> Answer:
        """Sends it on where an answer says so."""
        for _ in range(REDIRECTS_MAX + 1):
            answer = self._transport.send(outgoing, retries)
            place = answer.headers.get("location")
            if answer.status not in REDIRECTS or not place or not outgoing.has_whole_body():
                return answer
            answer.close()
            before = address_of(outgoing.url)[0]
            outgoing.url = urljoin(outgoing.url, place)
            if address_of(outgoing.url)[0] != before:
                outgoing.headers = {
                    name: value for name, value in outgoing.headers.items() if name not in PRIVATE
                }
            asks_anew = answer.status == 303 and outgoing.method != "HEAD"
            if asks_anew or (answer.status in (301, 302) and outgoing.method == "POST"):
                outgoing.method, outgoing.body = "GET", None
                outgoing.headers.pop("content-type", None)
        raise EvokeError(f"{outgoing.url}: more than {REDIRECTS_MAX} redirects", code=BAD_ANSWER)

    def get(self, url: str, **options: Any) -> HttpResponse:
        """`request` with GET."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> HttpResponse:
        """`request` with HEAD."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> HttpResponse:
        """`request` with POST."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> HttpResponse:
        """`request` with PUT."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> HttpResponse:
        """`request` with PATCH."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> HttpResponse:
        """`request` with DELETE."""
        return self.request("DELETE", url, **options)

    def close(self) -> None:
        """Ends the connections that are kept."""
        self._transport.pool.close()


def _body(headers: dict[str, str], json: Any, data: Any) -> Any:
    if json is not _NOTHING:
        headers.setdefault("content-type", "application/json")
        return body_of(json)
    if isinstance(data, Mapping):
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
        return urlencode(data, doseq=True).encode()
    if isinstance(data, str):
        return data.encode()
    return bytes(data) if isinstance(data, (bytearray, memoryview)) else data


def _patience(retries: Retries | int | None) -> Retries | None:
    if isinstance(retries, int):
        return Retries(attempts=retries + 1) if retries > 0 else NEVER
    return retries
