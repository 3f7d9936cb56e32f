"""Which documents, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..documents import Document, Page, Tally, condition, documents, fields_of, order
from ..values import encode, segment

if TYPE_CHECKING:
    from .client import Client

# `get` reads so many documents at most where no limit is given; of more, one iterates.
GET_MAX = 10_000
PAGE_MAX = 1_000


class Shape(NamedTuple):
    """What a query is made of."""

    where: tuple[Any, ...] = ()
    order: tuple[str, ...] = ()
    limit: int | None = None


class Query:
    """Documents of a collection that meet conditions. It never changes: each call gives another."""

    def __init__(self, client: Client, name: str, shape: Shape = Shape()) -> None:
        self._client = client
        self._path = f"/api/collections/{segment(name)}"
        self._shape = shape
        # Of the collection.
        self.name = name

    def where(self, field: str, operator: str, value: Any) -> Query:
        """Only documents of which this holds, too. Fields of objects are named like `address.city`;
        the operators are `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `array-contains`."""
        more = (*self._shape.where, condition(field, operator, value))
        return self._with(self._shape._replace(where=more))

    def order_by(self, field: str, direction: str = "asc") -> Query:
        """In the order of a field, `"desc"` for the other way round; the first that is named
        decides, the next ones what it leaves open."""
        more = (*self._shape.order, order(field, direction))
        return self._with(self._shape._replace(order=more))

    def limit(self, limit: int) -> Query:
        """At most so many."""
        if not isinstance(limit, int) or limit < 1:
            raise ValueError(f"a limit is a whole number from 1 on, not {limit!r}")
        return self._with(self._shape._replace(limit=limit))

    def get(self) -> list[Document]:
        """The documents. Without a limit there may be 10,000: of more, iterate."""
        found: list[Document] = []
        for page in self.pages():
            found.extend(page.data)
            if len(found) > GET_MAX and self._shape.limit is None:
                raise ValueError(f"more than {GET_MAX} documents: give a limit, or iterate")
        return found

    def first(self) -> Document | None:
        """The first of them; `None` where there is none."""
        found = self.limit(1).get()
        return found[0] if found else None

    def count(self) -> int:
        """How many there are."""
        asked = {"where": self._shape.where}
        told = self._read("count", asked)
        count = int(told["count"])
        return count if self._shape.limit is None else min(count, self._shape.limit)

    def explain(self) -> list[str]:
        """How the store would find them, one step a line."""
        told = self._read("explain", self._asked(None))
        return list(told["plan"])

    def update(self, changes: Mapping[str, Any]) -> Tally:
        """Changes fields of all of them, each with its event and its hooks; `None` takes a field
        away. It takes as long as there are documents, without an end to the waiting, and is not
        tried again."""
        asked = {"where": self._all("update"), "set": fields_of(changes)}
        return self._change_all("PATCH", json=asked)

    def delete(self) -> Tally:
        """Deletes all of them, each with its event and its hooks. It takes as long as there are
        documents, without an end to the waiting, and is not tried again."""
        return self._change_all("DELETE", query={"where": encode(self._all("delete"))})

    def __iter__(self) -> Iterator[Document]:
        """All of them, read page by page as they are wanted."""
        for page in self.pages():
            for document in page.data:
                yield document

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """All of them by pages, which may be empty, from a `next_cursor` on."""
        left = self._shape.limit
        while True:
            page = self.page(cursor, left)
            yield page
            cursor = page.next_cursor
            if left is not None:
                left -= len(page.data)
            if cursor is None or left == 0:
                return

    def page(self, cursor: str | None = None, limit: int | None = None) -> Page:
        """One page, of at most 1,000 documents."""
        asked = self._asked(cursor)
        limit = limit or self._shape.limit or PAGE_MAX
        asked["limit"] = min(limit, PAGE_MAX)
        told = self._read("query", asked)
        return Page(documents(told["data"]), told.get("next_cursor"))

    def _read(self, what: str, asked: dict[str, Any]) -> Any:
        """Asks something that has a body, and changes nothing."""
        path = f"{self._path}/{what}"
        return self._client.call("POST", path, json=asked, repeatable=True)

    def _change_all(self, method: str, **asked: Any) -> Tally:
        # A second one would run beside the first, and tell only of what that one left.
        path = f"{self._path}/documents"
        return Tally(
            **self._client.call(method, path, timeout=None, repeatable=False, **asked)
        )

    def _asked(self, cursor: str | None) -> dict[str, Any]:
        asked: dict[str, Any] = {"where": self._shape.where, "order_by": self._shape.order}
        if cursor is not None:
            asked["cursor"] = cursor
        return asked

    def _all(self, verb: str) -> tuple[Any, ...]:
        """The conditions, where there is nothing else that would be left unheeded."""
        if self._shape.order or self._shape.limit is not None:
            raise ValueError(f"{verb} takes all documents that where() names: no order, no limit")
        if not self._shape.where:
            hint = 'where("id", "!=", "") says that'
            raise ValueError(f"{verb} without where() would take all documents: {hint}")
        return self._shape.where

    def _with(self, shape: Shape) -> Query:
        return Query(self._client, self.name, shape)
