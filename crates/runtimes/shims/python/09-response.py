# What a handler of requests may answer.


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
    if isinstance(value, Response):
        return value
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and isinstance(value[1], int):
        return Response(*value)
    return Response(value, 204 if value is None else 200)


def is_stream(value):
    return hasattr(value, "__aiter__") or (
        hasattr(value, "__next__") and hasattr(value, "__iter__")
    )


def whole(body):
    """A body in bytes and its usual type."""
    if body is None:
        return b"", None
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), "application/octet-stream"
    return encode(body).encode("utf-8", "replace"), "application/json"


def piece(value):
    """A piece of a stream: text and bytes as they are, all else as a server-sent event."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return f"data: {encode(value)}\n\n".encode("utf-8", "replace")
