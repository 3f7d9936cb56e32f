"""Answers that pages of other sites may read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .middleware import Step
from .worker import Response

__all__ = ["cors"]

Origins = str | Sequence[str] | Callable[[str], bool]


class _Cors(Step):
    def __init__(self, origins: Origins, fixed: dict[str, str], preflight: dict[str, str]) -> None:
        self._origins = origins
        self._fixed = fixed
        self._preflight = preflight

    def _allowed(self, origin: str) -> str | None:
        origins = self._origins
        if origins == "*" and "access-control-allow-credentials" not in self._fixed:
            return "*"
        if callable(origins):
            return origin if origins(origin) else None
        listed = (origins,) if isinstance(origins, str) else origins
        return origin if origin in listed else None

    def before(self, request: Any, context: Any) -> Any:
        asked = request.headers.get("access-control-request-method")
        if request.method != "OPTIONS" or asked is None:
            return None
        headers = dict(self._preflight)
        wanted = request.headers.get("access-control-request-headers")
        if wanted and "access-control-allow-headers" not in headers:
            headers["access-control-allow-headers"] = wanted
        return Response(None, 204, headers)

    def after(self, request: Any, response: Any) -> Any:
        origin = request.headers.get("origin")
        allowed = None if origin is None else self._allowed(origin)
        told = {}
        if self._origins != "*":
            # Caches must not give the answer for one site to another.
            told["vary"] = _vary(response)
        if allowed is not None:
            told |= {"access-control-allow-origin": allowed, **self._fixed}
        return _with_headers(response, told)


def _vary(response: Any) -> str:
    """What the answer depends on, and the origin."""
    kept = [value for name, value in response.headers if name.lower() == "vary"]
    names = {name.strip().lower() for value in kept for name in value.split(",")}
    return ", ".join(kept if names & {"origin", "*"} else [*kept, "Origin"])


def _with_headers(response: Any, told: dict[str, str]) -> Any:
    """The answer with these headers in place of its own; the handler's own may be one that it gives
    to everybody, and stays as it is."""
    from copy import copy

    answer = copy(response)
    others = [(name, value) for name, value in response.headers if name.lower() not in told]
    answer.headers = others + list(told.items())
    return answer


def cors(
    origin: Origins = "*",
    *,
    methods: Sequence[str] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
    headers: Sequence[str] | None = None,
    expose: Sequence[str] = (),
    credentials: bool = False,
    max_age: int = 600,
) -> Step:
    """Lets pages of these origins call: `"*"`, one, several, or a function that says.

    Headers that may be sent are those that are asked for, unless they are given. A preflight is
    answered without calling the handler: the trigger's methods need OPTIONS.
    """
    if credentials and origin == "*":
        raise ValueError("credentials are never sent to '*': name the origins")
    fixed: dict[str, str] = {}
    if credentials:
        fixed["access-control-allow-credentials"] = "true"
    if expose:
        fixed["access-control-expose-headers"] = ", ".join(expose)
    preflight = {
        "access-control-allow-methods": ", ".join(methods),
        "access-control-max-age": str(max_age),
    }
    if headers is not None:
        preflight["access-control-allow-headers"] = ", ".join(headers)
    return _Cors(origin, fixed, preflight)
