"""JSON Schema, as far as bodies of requests need it: draft 2020-12 without references to elsewhere.

A keyword that is not known here is refused when the schema is read: it would check nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["Schema"]

Found = Iterator[tuple[str, str]]
# Problems that are told; more do not help.
PROBLEMS_MAX = 50
DEPTH_MAX = 64

_TYPES: dict[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
}
_FORMATS = {
    "date": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
    "date-time": r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "ipv4": r"((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}",
    "time": r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S*",
    "uuid": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
# Of numbers, texts, lists and objects: keyword, what is measured, whether it holds, what is said.
_BOUNDS: dict[str, tuple[str, Any, str]] = {
    "minimum": ("number", lambda value, bound: value >= bound, "must be at least {}"),
    "maximum": ("number", lambda value, bound: value <= bound, "must be at most {}"),
    "exclusiveMinimum": ("number", lambda value, bound: value > bound, "must be more than {}"),
    "exclusiveMaximum": ("number", lambda value, bound: value < bound, "must be less than {}"),
    "multipleOf": (
        "number",
        lambda value, bound: math.isclose(value / bound, round(value / bound), rel_tol=1e-12),
        "must be a multiple of {}",
    ),
    "minLength": ("string", lambda value, bound: len(value) >= bound, "needs {} characters"),
    "maxLength": (
        "string",
        lambda value, bound: len(value) <= bound,
        "has more than {} characters",
    ),
    "minItems": ("array", lambda value, bound: len(value) >= bound, "needs {} items"),
    "maxItems": ("array", lambda value, bound: len(value) <= bound, "has more than {} items"),
    "minProperties": ("object", lambda value, bound: len(value) >= bound, "needs {} fields"),
    "maxProperties": (
        "object",
        lambda value, bound: len(value) <= bound,
        "has more than {} fields",
    ),
}
_ONE = frozenset(("additionalProperties", "items", "not", "propertyNames", "contains"))
_MANY = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions"))
_OTHERS = frozenset(
    ("$ref", "const", "enum", "format", "pattern", "required", "type", "uniqueItems")
)
_SAID = frozenset(
    ("$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "title")
    + ("readOnly", "writeOnly")
)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Schema:
    """A schema that was read."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        _check(schema, "schema")

    def problems(self, value: Any) -> list[dict[str, str]]:
        """What is wrong with a value: which field, and why."""
        found: list[dict[str, str]] = []
        for field, message in self._look(self._root, value, "", 0):
            found.append({"field": field, "message": message})
            if len(found) == PROBLEMS_MAX:
                break
        return found

    def _fits(self, schema: Any, value: Any, field: str, depth: int) -> bool:
        return next(self._look(schema, value, field, depth), None) is None

    def _look(self, schema: Any, value: Any, field: str, depth: int) -> Found:
        if depth > DEPTH_MAX:
            yield field, "is too deep"
        elif schema is False:
            yield field, "is not known here"
        elif isinstance(schema, dict):
            yield from self._combined(schema, value, field, depth + 1)
            if not _has_type(schema.get("type"), value):
                yield field, f"must be {_listed(schema['type'])}"
                return
            yield from _plain(schema, value, field)
            if isinstance(value, dict):
                yield from self._fields(schema, value, field, depth + 1)
            elif isinstance(value, list):
                yield from self._items(schema, value, field, depth + 1)

    def _combined(self, schema: Any, value: Any, field: str, depth: int) -> Found:
        if "$ref" in schema:
            yield from self._look(_target(self._root, schema["$ref"]), value, field, depth)
        for one in schema.get("allOf", ()):
            yield from self._look(one, value, field, depth)
        if "anyOf" in schema:
            if not any(self._fits(one, value, field, depth) for one in schema["anyOf"]):
                yield field, "is none of what it may be"
        if "oneOf" in schema:
            count = sum(self._fits(one, value, field, depth) for one in schema["oneOf"])
            if count != 1:
                yield field, "is none of what it may be" if count == 0 else "may be two things"
        if "not" in schema and self._fits(schema["not"], value, field, depth):
            yield field, "is what it may not be"

    def _fields(self, schema: Any, value: Any, field: str, depth: int) -> Found:
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield _inside(field, name), "is missing"
        for name, one in value.items():
            place = _inside(field, name)
            if "propertyNames" in schema:
                yield from self._look(schema["propertyNames"], name, place, depth)
            fitting = [patterns[pattern] for pattern in patterns if re.search(pattern, name)]
            if name in properties:
                fitting.append(properties[name])
            for part in fitting or [schema.get("additionalProperties", True)]:
                if part is False and name not in properties:
                    yield place, f"is not known here{_near(name, properties)}"
                else:
                    yield from self._look(part, one, place, depth)

    def _items(self, schema: Any, value: Any, field: str, depth: int) -> Found:
        prefix = schema.get("prefixItems", ())
        for index, one in enumerate(value):
            part = prefix[index] if index < len(prefix) else schema.get("items", True)
            yield from self._look(part, one, f"{field}[{index}]", depth)
        if "contains" in schema:
            part = schema["contains"]
            if not any(self._fits(part, one, field, depth) for one in value):
                yield field, "lacks an item that it needs"


def _plain(schema: Any, value: Any, field: str) -> Found:
    """What needs no look at what is inside."""
    if "const" in schema and not _same(value, schema["const"]):
        yield field, f"must be {schema['const']!r}"
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield field, f"must be one of {', '.join(map(repr, schema['enum']))}"
    for keyword, (kind, holds, said) in _BOUNDS.items():
        if keyword in schema and _TYPES[kind](value) and not holds(value, schema[keyword]):
            yield field, said.format(schema[keyword])
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield field, f"must fit {schema['pattern']}"
        form = _FORMATS.get(schema.get("format", ""))
        if form is not None and not re.fullmatch(form, value):
            yield field, f"is no {schema['format']}"
    if schema.get("uniqueItems") and isinstance(value, list):
        if any(_same(one, other) for at, one in enumerate(value) for other in value[:at]):
            yield field, "has an item twice"


def _check(schema: Any, place: str) -> None:
    """Refuses a schema that could not be kept."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{place}: a schema is an object, not {schema!r}")
    for keyword, value in schema.items():
        here = f"{place}.{keyword}"
        if keyword in _ONE:
            _check(value, here)
        elif keyword in _MANY:
            for index, one in enumerate(value):
                _check(one, f"{here}[{index}]")
        elif keyword in _NAMED:
            for name, one in value.items():
                _check(one, f"{here}.{name}")
        elif keyword == "$ref":
            if not str(value).startswith("#"):
                raise ValueError(f"{here}: {value!r} is elsewhere")
        elif keyword not in _BOUNDS and keyword not in _OTHERS and keyword not in _SAID:
            raise ValueError(f"{here}: this keyword is not known here{_near(keyword, _KNOWN)}")
    for name in _names(schema.get("type")):
        if name not in _TYPES:
            raise ValueError(f"{place}.type: {name!r} is no type{_near(name, _TYPES)}")


_KNOWN = [*_BOUNDS, *_ONE, *_MANY, *_NAMED, *_OTHERS]


def _target(root: Any, ref: str) -> Any:
    found = root
    for part in ref.lstrip("#").split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def _names(kind: Any) -> list[str]:
    return [] if kind is None else [kind] if isinstance(kind, str) else list(kind)


def _has_type(kind: Any, value: Any) -> bool:
    return kind is None or any(_TYPES[name](value) for name in _names(kind))


def _listed(kind: Any) -> str:
    names = {"object": "an object", "array": "a list", "string": "a text", "null": "null"}
    names |= {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    return " or ".join(names[name] for name in _names(kind))


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON is: `true` is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)


def _inside(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _near(name: str, known: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
