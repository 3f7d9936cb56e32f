"""Calling functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..values import parse, segment

if TYPE_CHECKING:
    from .client import Client

# The longest that a function may take, and what it takes to say so.
ANSWER_SECONDS_MAX = 15 * 60 + 10.0


class Functions:
    """Functions of a project."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def invoke(
        self,
        name: str,
        data: Any = None,
        wait: bool = True,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = ANSWER_SECONDS_MAX,
    ) -> Any:
        """Calls a function and gives what it returns: JSON as a value, text as `str`, else `bytes`.

        A failure of the function raises `EvokeError` with its code; it is not tried again. With
        `wait=False` the call is durable, made later and retried as the function's policy says, and
        what is given is `{"execution_id": ...}`. What is asked once more with the same
        `idempotency_key` gets what the first one came to.
        """
        headers = {} if wait else {"prefer": "respond-async"}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        path = f"/api/functions/{segment(name)}/invoke"
        answer = self._client.send(
            "POST",
            path,
            json=data,
            headers=headers,
            timeout=timeout,
            # Whoever waits ends the call by leaving, and frees its key: it would run once more.
            repeatable=False if wait else None,
        )
        kind = answer.headers.get("content-type", "")
        body = answer.read()
        if not body:
            return None
        if "json" in kind:
            return parse(body)
        return body.decode("utf-8", "replace") if kind.startswith("text/") else body
