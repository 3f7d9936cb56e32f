# What answers are made of.


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
