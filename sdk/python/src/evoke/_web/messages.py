"""What a handler of requests gets and may answer, how values are written as JSON, and how a handler
is called.

This file is also a part of the worker that runs functions in the server, which has these classes
without loading this package. So it imports nothing of the package.
"""

import json
from collections import deque


def describe_value(value):
    """What JSON has no form for, in the form one would expect."""
    if hasattr(value, "isoformat"):
        return rfc3339(value)
    if isinstance(value, (set, frozenset, deque)):
        return list(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if type(value).__module__ in ("uuid", "decimal", "pathlib"):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent as JSON")


def rfc3339(value):
    """An instant in UTC, always with its milliseconds, so that texts are ordered as instants are;
    a date or a time of day in its own form. An instant without a zone is local time."""
    if not hasattr(value, "astimezone"):
        return value.isoformat()
    from datetime import timezone

    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.astimezone(timezone.utc).isoformat(timespec=precision).replace("+00:00", "Z")


encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=describe_value
).encode


class Headers(dict):
    """Headers by name, whatever its case. Several values of one name are joined; `get_all` has
    each."""

    def __init__(self, pairs=()):
        super().__init__()
        self.pairs = list(pairs.items() if hasattr(pairs, "items") else pairs)
        for name, value in self.pairs:
            key = name.lower()
            dict.__setitem__(self, key, f"{self[key]}, {value}" if key in self else value)

    def __getitem__(self, name):
        return dict.__getitem__(self, name.lower())

    def __contains__(self, name):
        return dict.__contains__(self, name.lower())

    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)

    def get_all(self, name):
        return [value for key, value in self.pairs if key.lower() == name.lower()]


class Request:
    """What a handler of an HTTP function gets."""

    # Who calls, where the middleware `auth` has found out.
    user = None
    # The body as the middleware `validate` has read it.
    valid = None

    def __init__(self, raw, body):
        self._raw = raw
        self.method = raw["method"]
        self.url = raw["url"]
        self.params = raw.get("params") or {}
        self.body = body
        self._headers = None

    @property
    def headers(self):
        if self._headers is None:
            self._headers = Headers(self._raw["headers"])
        return self._headers

    @property
    def path(self):
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(self.url).path)

    @property
    def query(self):
        """The query's parameters, the last value of each; `query_all` has lists."""
        return {name: values[-1] for name, values in self.query_all.items()}

    @property
    def query_all(self):
        from urllib.parse import parse_qs, urlsplit

        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def form(self):
        """The fields of an URL-encoded form."""
        from urllib.parse import parse_qsl

        return dict(parse_qsl(self.text(), keep_blank_values=True))


class Response:
    """An answer to a request. `body` is a str, bytes, anything JSON can hold, or an (async)
    generator that is streamed."""

    def __init__(self, body=None, status=200, headers=None, content_type=None):
        self.body = body
        self.status = int(status)
        self.headers = list(headers.items() if hasattr(headers, "items") else headers or ())
        self.content_type = content_type
        if not 200 <= self.status <= 599:
            raise ValueError(f"a Response has a status from 200 to 599, not {status}")

    @classmethod
    def json(cls, data, status=200, headers=None):
        return cls(encode(data), status, headers, "application/json")

    @classmethod
    def redirect(cls, url, status=302):
        return cls(None, status, {"location": url})

    def head(self, default):
        pairs = [[str(name), str(value)] for name, value in self.headers]
        for name, value in pairs:
            if any(letter in "\r\n\0" for letter in name + value):
                raise ValueError(f"the header {name!r} has characters a header cannot have")
        kind = self.content_type or default
        if kind and not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(["content-type", kind])
        return encode({"status": self.status, "headers": pairs}).encode("utf-8", "replace")


def response_of(value):
    """The answer that what a handler returned stands for."""
    if isinstance(value, Response):
        return value
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and isinstance(value[1], int):
        return Response(*value)
    return Response(value, 204 if value is None else 200)


def shape(function):
    """How many arguments a handler takes, and whether it runs on the event loop.

    Raises `TypeError` for one that cannot be called with what there is.
    """
    import inspect

    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)
    on_loop = any(
        test(called) for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return 2, on_loop
    if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
        return 2, on_loop
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if len(needed) > 2 or any(parameter not in positional for parameter in needed):
        raise TypeError(
            f"the handler takes {len(needed)} arguments; "
            "it is called with (event, context) or (request, context)"
        )
    return min(2, len(positional)), on_loop
