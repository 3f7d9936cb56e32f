"""Middleware: what is done before and after a handler of requests, as a list."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .messages import shape
from .worker import Response, response_of

__all__ = ["Step", "middleware", "refused"]

Handler = Callable[..., Any]


class Step:
    """A middleware that works for handlers of either kind. What `before` or `before_async` returns,
    if anything, is the answer; `after` sees every answer, and gives the one that is sent."""

    def before(self, request: Any, context: Any) -> Any:
        """Looks at a request."""
        return None

    async def before_async(self, request: Any, context: Any) -> Any:
        """The same on the event loop, for what waits."""
        return self.before(request, context)

    def after(self, request: Any, response: Any) -> Any:
        """Looks at an answer."""
        return response


def middleware(steps: Sequence[Any]) -> Handler:
    """The handler that the last of the list is with the others around it, the first outermost.

    A middleware of one's own is a function `(request, context, next)` that returns what
    `next(request)` gives, or something else: `async def`, with `await next(request)`, where the
    handler is.
    """
    *around, handler = steps
    if not callable(handler) or isinstance(handler, Step):
        raise TypeError("the last of the list is the handler, a function")
    wraps = _wrap_async if _is_async(handler) else _wrap
    answer = _called(handler)
    for step in reversed(around):
        if not isinstance(step, Step) and _is_async(step) != _is_async(handler):
            kind = "async def" if _is_async(handler) else "def"
            name = getattr(step, "__name__", type(step).__name__)
            raise TypeError(f"the handler is {kind}, so {name} has to be that too")
        answer = wraps(step, answer)
    return _entry(answer, _is_async(handler))


def _is_async(function: Any) -> bool:
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)
    return inspect.iscoroutinefunction(called)


def _called(handler: Handler) -> Handler:
    """The handler with two arguments, whether or not it wants both."""
    count, _ = shape(handler)
    return handler if count == 2 else lambda *both: handler(*both[:count])


def _wrap(step: Any, inner: Handler) -> Handler:
    if not isinstance(step, Step):
        return lambda request, context: step(
            request, context, lambda given=request: response_of(inner(given, context))
        )

    def answer(request: Any, context: Any) -> Any:
        early = step.before(request, context)
        value = inner(request, context) if early is None else early
        return step.after(request, response_of(value))

    return answer


def _wrap_async(step: Any, inner: Handler) -> Handler:
    async def answer_of(request: Any, context: Any) -> Any:
        return response_of(await inner(request, context))

    if not isinstance(step, Step):
        return lambda request, context: step(
            request, context, lambda given=request: answer_of(given, context)
        )

    async def answer(request: Any, context: Any) -> Any:
        early = await step.before_async(request, context)
        value = await inner(request, context) if early is None else early
        return step.after(request, response_of(value))

    return answer


def _entry(answer: Handler, is_async: bool) -> Handler:
    if not is_async:

        def handler(request: Any, context: Any = None) -> Any:
            return answer(request, context)

        return handler

    async def handler_async(request: Any, context: Any = None) -> Any:
        return await answer(request, context)

    return handler_async


def refused(
    status: int,
    code: str,
    message: str,
    *,
    problems: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> Any:
    """A refusal in the form of the server's own."""
    told: dict[str, Any] = {"code": code, "message": message}
    if problems:
        told["problems"] = list(problems)
    return Response.json({"error": told}, status, headers)
