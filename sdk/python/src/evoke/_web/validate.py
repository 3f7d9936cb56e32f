"""Bodies that have the form they should."""

from __future__ import annotations

import json
from typing import Any

from .middleware import Step, refused
from .schema import Schema

__all__ = ["validate"]

INVALID = "API_001"


class _Validate(Step):
    def __init__(self, check: Any) -> None:
        self._check = check

    def before(self, request: Any, context: Any) -> Any:
        try:
            value = json.loads(request.body, parse_constant=_no_number)
        except (RecursionError, ValueError) as error:
            problems = [{"field": "", "message": f"the body is not JSON: {error}"}]
            return refused(422, INVALID, "the request does not fit", problems=problems)
        request.valid, problems = self._check(value)
        if problems:
            return refused(422, INVALID, "the request does not fit", problems=problems)
        return None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def validate(schema: Any) -> Step:
    """Lets only JSON bodies through that fit; others get 422 with all that is wrong.

    `schema` is a JSON Schema as a dict, a class with `model_validate` (pydantic), or a function
    that gives the value to be used and raises `ValueError`. What it gives is `request.valid`.
    """
    if isinstance(schema, dict):
        checked = Schema(schema)
        return _Validate(lambda value: (value, checked.problems(value)))
    parse = getattr(schema, "model_validate", schema)
    if not callable(parse):
        raise TypeError(f"a {type(schema).__name__} is no schema")
    return _Validate(lambda value: _parsed(parse, value))


def _parsed(parse: Any, value: Any) -> tuple[Any, list[dict[str, str]]]:
    try:
        return parse(value), []
    except (OverflowError, RecursionError, ValueError) as error:
        errors = getattr(error, "errors", None)
        if not callable(errors):
            return None, [{"field": "", "message": str(error)}]
        return None, [
            {"field": ".".join(map(str, one.get("loc", ()))), "message": str(one.get("msg"))}
            for one in errors()
        ]
