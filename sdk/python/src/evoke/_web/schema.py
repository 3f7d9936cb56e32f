"""JSON Schema, as far as bodies of requests need it: draft 2020-12 without references to elsewhere.

A keyword that is not known here is refused when the schema is read: it would check nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from .formats import FORMATS, expression

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
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
}
# Of numbers, texts, lists and objects: keyword, what is measured, whether it holds, what is said.
_BOUNDS: dict[str, tuple[str, Any, str]] = {
    "minimum": ("number", lambda value, bound: value >= bound, "must be at least {}"),
    "maximum": ("number", lambda value, bound: value <= bound, "must be at most {}"),
    "exclusiveMinimum": ("number", lambda value, bound: value > bound, "must be more than {}"),
    "exclusiveMaximum": ("number", lambda value, bound: value < bound, "must be less than {}"),
    "multipleOf": (
        "number",
        lambda value, bound: _is_multiple(value, bound),
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


def _is_multiple(value: Any, bound: Any) -> bool:
    if isinstance(value, int) and isinstance(bound, int):
        return value % bound == 0
    try:
        ratio = value / bound
        return math.isclose(ratio, round(ratio), rel_tol=1e-12)
    except OverflowError:
        # Numbers of this size are told apart by nobody.
        return False


class Schema:
    """A schema that was read."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        refs: list[tuple[str, Any]] = []
        _check(schema, "schema", refs)
        _follow(schema, refs)

    def problems(self, value: Any) -> list[dict[str, str]]:
        """What is wrong with a value: which field, and why."""
        found: list[dict[str, str]] = []
        try:
            for field, message in self._look(self._root, value, "", 0):
                found.append({"field": field, "message": message})
                if len(found) == PROBLEMS_MAX:
                    break
        except RecursionError:
            found.append({"field": "", "message": "is too deep"})
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
            fitting = [
                patterns[pattern] for pattern in patterns if expression(pattern).search(name)
            ]
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
        if "pattern" in schema and not expression(schema["pattern"]).search(value):
            yield field, f"must fit {schema['pattern']}"
        if "format" in schema and not FORMATS[schema["format"]](value):
            yield field, f"is no {schema['format']}"
    if schema.get("uniqueItems") and isinstance(value, list):
        if len(set(map(_written, value))) < len(value):
            yield field, "has an item twice"


def _check(schema: Any, place: str, refs: list[tuple[str, Any]]) -> None:
    """Refuses a schema that could not be kept. References are noted: they may lead anywhere."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{place}: a schema is an object, not {schema!r}")
    for keyword, value in schema.items():
        here = f"{place}.{keyword}"
        if keyword in _ONE:
            _check(value, here, refs)
        elif keyword in _MANY:
            for index, one in enumerate(value):
                _check(one, f"{here}[{index}]", refs)
        elif keyword in _NAMED:
            for name, one in value.items():
                _check(one, f"{here}.{name}", refs)
        elif keyword == "$ref":
            refs.append((here, value))
        elif keyword not in _BOUNDS and keyword not in _OTHERS and keyword not in _SAID:
            raise ValueError(f"{here}: this keyword is not known here{_near(keyword, _KNOWN)}")
    _check_values(schema, place)


def _check_values(schema: Any, place: str) -> None:
    """Refuses values that keywords cannot have."""
    for name in _names(schema.get("type")):
        if name not in _TYPES:
            raise ValueError(f"{place}.type: {name!r} is no type{_near(name, _TYPES)}")
    form = schema.get("format")
    if form is not None and form not in FORMATS:
        raise ValueError(f"{place}.format: {form!r} is not known here{_near(form, FORMATS)}")
    for pattern in (*schema.get("patternProperties", ()), *filter(None, [schema.get("pattern")])):
        try:
            expression(pattern)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    for keyword in _BOUNDS.keys() & schema.keys():
        bound = schema[keyword]
        if not _is_number(bound) or (keyword == "multipleOf" and bound <= 0):
            raise ValueError(f"{place}.{keyword}: {bound!r} is no bound")


_KNOWN = [*_BOUNDS, *_ONE, *_MANY, *_NAMED, *_OTHERS]


def _follow(root: Any, refs: list[tuple[str, Any]]) -> None:
    """Refuses references to nowhere, and to what is no schema."""
    known = set()
    while refs:
        here, ref = refs.pop()
        if ref in known:
            continue
        known.add(ref)
        if not str(ref).startswith("#"):
            raise ValueError(f"{here}: {ref!r} is elsewhere")
        try:
            target = _target(root, ref)
        except (LookupError, TypeError, ValueError):
            raise ValueError(f"{here}: there is nothing at {ref!r}") from None
        _check(target, here, refs)


def _target(root: Any, ref: str) -> Any:
    """What is at a reference: a place in the schema, named step by step."""
    start, *parts = unquote(ref[1:]).split("/")
    if start:
        raise LookupError(ref)
    found = root
    for part in parts:
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


def _written(value: Any) -> str:
    """One text for all that is the same as JSON. A set of texts cannot be made slow by who chooses
    them, as one of numbers could."""
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, dict):
        names = sorted(value)
        return f"{{{','.join(f'{json.dumps(name)}:{_written(value[name])}' for name in names)}}}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def _inside(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _near(name: str, known: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
