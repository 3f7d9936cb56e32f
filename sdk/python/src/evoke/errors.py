"""What goes wrong, as exceptions with a code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["EvokeError", "Problem", "refusal"]

# Problems that the text tells; all are in `problems`.
PROBLEMS_TOLD = 5
# Codes of failures that no server has answered.
UNREACHABLE = "unreachable"
TIMED_OUT = "timed_out"
BAD_ANSWER = "bad_answer"
NO_SECRET = "no_secret"
NOT_SIGNED_IN = "not_signed_in"
MISSED = "missed"


class Problem(NamedTuple):
    """One thing that is wrong with what was sent."""

    field: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        said = f"{self.field}: {self.message}" if self.field else self.message
        return f"{said} ({self.suggestion})" if self.suggestion else said


class EvokeError(RuntimeError):
    """A refusal of the server, or a failure on the way to it.

    `code` is that of the server's pages on errors (`DB_003`), or `unreachable`, `timed_out`,
    `bad_answer`, `no_secret`, `not_signed_in`, `missed` for what no server has said. `status` is
    that of HTTP, 0 where there was no answer. `retry_after` is in seconds, where the server named a
    time; a function that lets the error through is not tried again before.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 0,
        problems: tuple[Problem, ...] = (),
        request_id: str | None = None,
        docs: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.problems = problems
        self.request_id = request_id
        self.docs = docs
        self.retry_after = retry_after

    def __str__(self) -> str:
        # The server's message tells the first problem by itself.
        more = [str(one) for one in self.problems if one.message not in self.message]
        return "; ".join([self.message, *more[:PROBLEMS_TOLD]])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.message, {**self.__dict__})


def _rebuilt(message: str, fields: dict[str, Any]) -> EvokeError:
    return EvokeError(**{**fields, "message": message})


def refusal(status: int, body: Any, headers: Mapping[str, str], what: str) -> EvokeError:
    """The error that an answer with a status of 400 or more tells of. `what` was asked for."""
    told = body.get("error") if isinstance(body, dict) else None
    told = told if isinstance(told, dict) else {}
    return EvokeError(
        str(told.get("message") or f"{what} was answered with {status}"),
        code=str(told.get("code") or BAD_ANSWER),
        status=status,
        problems=tuple(_problem(one) for one in told.get("problems") or ()),
        request_id=told.get("request_id") or headers.get("x-request-id"),
        docs=told.get("docs"),
        retry_after=retry_after(headers.get("retry-after")),
    )


def code_of(body: bytes) -> str | None:
    """The code in the body of a refusal; `None` where it is none of an Evoke server."""
    try:
        return str(json.loads(body)["error"]["code"])
    except (KeyError, RecursionError, TypeError, ValueError):
        return None


def _problem(told: Any) -> Problem:
    told = told if isinstance(told, dict) else {}
    return Problem(
        str(told.get("field") or ""), str(told.get("message") or ""), told.get("suggestion")
    )


def retry_after(header: str | None) -> float | None:
    """Seconds from now, from either form of `Retry-After`."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    import time
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
