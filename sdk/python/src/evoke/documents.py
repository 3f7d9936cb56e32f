"""Documents as they come from the server, and what is asked of collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .values import instant

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Change", "Collection", "Document", "Page", "Tally"]

OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "contains", "array-contains")


class Document(dict[str, Any]):
    """A document: a dict of its fields, with what the server keeps beside them as attributes.

    It can be changed and written back: names that begin with `_` are left as they are.
    """

    __slots__ = ()

    @property
    def id(self) -> str:
        """The id, unique in its collection."""
        return str(self["id"])

    @property
    def revision(self) -> str:
        """Another one after each change."""
        return str(self["_revision"])

    @property
    def created_at(self) -> datetime:
        """When it was created."""
        return instant(self["_created_at"])

    @property
    def updated_at(self) -> datetime:
        """When it was last changed."""
        return instant(self["_updated_at"])


class Page(NamedTuple):
    """Some of the documents, and where the next ones begin; `None` behind the last."""

    data: list[Document]
    next_cursor: str | None


class Tally(NamedTuple):
    """What came of a change of many: how many met the conditions, and how many were changed."""

    matched: int
    changed: int


class Collection(NamedTuple):
    """What is said of a collection."""

    name: str
    schema: Any
    indexes: list[dict[str, Any]]


class Change(NamedTuple):
    """Something that happened to a document."""

    # Goes on from here when it is given to `changes(after=...)`.
    event_id: str
    time: datetime
    collection: str
    # `create`, `update` or `delete`.
    action: str
    id: str
    document: Document | None
    previous_document: Document | None
    changed_fields: list[str]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Change:
        """Reads what the server says."""
        before, after = told.get("previous_document"), told.get("document")
        return cls(
            event_id=told["event_id"],
            time=instant(told["time"]),
            collection=told["collection"],
            action=told["action"],
            id=told["id"],
            document=None if after is None else Document(after),
            previous_document=None if before is None else Document(before),
            changed_fields=list(told.get("changed_fields") or ()),
        )


def condition(field: str, operator: str, value: Any) -> list[Any]:
    """A condition as the server reads it.

    Raises `ValueError` for an operator there is not, with the nearest there is.
    """
    if operator not in OPERATORS:
        from difflib import get_close_matches

        usual = {"=": "==", "===": "==", "<>": "!=", "array_contains": "array-contains"}
        near = usual.get(operator) or next(iter(get_close_matches(operator, OPERATORS, 1)), None)
        hint = f"; did you mean {near!r}?" if near else f"; there are {', '.join(OPERATORS)}"
        raise ValueError(f"{operator!r} is no operator{hint}")
    return [field, operator, value]


def order(field: str, direction: str) -> str:
    """A field to order by as the server reads it."""
    if direction not in ("asc", "desc"):
        raise ValueError(f"the direction is 'asc' or 'desc', not {direction!r}")
    if direction == "asc":
        return field
    return field[1:] if field.startswith("-") else f"-{field}"


def if_match(revision: str | None) -> dict[str, str]:
    """The header that lets a change through only where the document is still this one."""
    return {} if revision is None else {"if-match": f'"{revision}"'}


def fields_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as an object.

    Raises `TypeError` where it is none, before anything is sent.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"a document is a mapping, not a {type(document).__name__}")
    return dict(document)


def documents(told: Sequence[Mapping[str, Any]]) -> list[Document]:
    """Documents of an answer."""
    return [Document(one) for one in told]
