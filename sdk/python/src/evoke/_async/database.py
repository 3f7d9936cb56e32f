"""Collections of documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..documents import Change, Collection, Document, documents, fields_of, if_match
from ..errors import EvokeError
from ..retries import Retries
from ..values import segment
from . import net
from .changes import changes_of
from .query import Query
from .transaction import Transaction, result_of

if TYPE_CHECKING:
    from .client import Client

BULK_MAX = 1_000
# Answers that say that something was changed by somebody else meanwhile.
CHANGED = frozenset((404, 409, 412))


class Database:
    """The database of a project."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def collection(self, name: str) -> Documents:
        """A collection, whether it is there yet or not."""
        return Documents(self._client, name)

    async def collections(self) -> list[Collection]:
        """The collections there are."""
        found: list[Collection] = []
        cursor = None
        while True:
            told = await self._client.call("GET", "/api/collections", query={"cursor": cursor})
            found.extend(Collection(**one) for one in told["data"])
            cursor = told.get("next_cursor")
            if cursor is None:
                return found

    async def transaction(self, work: Callable[[Transaction], Any], *, attempts: int = 5) -> Any:
        """Several changes, all or none; gives what `work` returns.

        What `work` reads through the transaction must still be so when its changes are made; else
        it is called again with what is there then, up to `attempts` times.
        """
        patience = Retries(attempts, initial=0.02, longest=0.5)
        attempt = 0
        while True:
            attempt += 1
            transaction = Transaction(self._client)
            result = await result_of(work(transaction))
            try:
                await transaction.commit()
                return result
            except EvokeError as error:
                may_differ = error.status in CHANGED and transaction.has_read()
                wait = patience.after_failure(attempt, may_differ)
                if wait is None:
                    raise
            await net.sleep(wait)


class Documents(Query):
    """A collection: all of its documents, and what makes new ones."""

    def doc(self, id: str) -> DocumentRef:
        """One document, whether it is there yet or not."""
        return DocumentRef(self._client, self.name, id)

    async def create(self, document: Mapping[str, Any]) -> Document:
        """Creates a document. Its `id` may be chosen."""
        told = await self._client.call("POST", f"{self._path}/documents", json=fields_of(document))
        return Document(told)

    async def create_many(self, documents_given: Iterable[Mapping[str, Any]]) -> list[Document]:
        """Creates up to 1,000 documents, all or none."""
        given = [fields_of(document) for document in documents_given]
        if len(given) > BULK_MAX:
            raise ValueError(f"create_many takes {BULK_MAX} documents at once, not {len(given)}")
        if not given:
            return []
        told = await self._client.call("POST", f"{self._path}/documents", json=given)
        return documents(told["data"])

    def changes(
        self, *, action: str | None = None, after: str | None = None
    ) -> AsyncIterator[Change]:
        """What happens to the documents, without an end: from now on, or behind the event `after`.
        Connections that break are made anew, and nothing is left out: where changes in between are
        not kept any more, `EvokeError` with the status 410 is raised."""
        return changes_of(self._client, f"{self._path}/changes", action, after)

    async def info(self) -> Collection:
        """The schema and the indexes."""
        return Collection(**await self._client.call("GET", self._path))

    async def define(
        self, *, schema: Any = None, indexes: Sequence[Mapping[str, Any]] = ()
    ) -> Collection:
        """Makes it a collection with this JSON Schema and these indexes, as
        `{"fields": ["email"], "unique": True}`."""
        asked = {"schema": schema, "indexes": list(indexes)}
        return Collection(**await self._client.call("PUT", self._path, json=asked))

    async def drop(self) -> None:
        """Deletes it with all documents."""
        await self._client.call("DELETE", self._path)


class DocumentRef:
    """One document of a collection, by its id."""

    def __init__(self, client: Client, collection: str, id: str) -> None:
        self._client = client
        self._path = f"/api/collections/{segment(collection)}/documents/{segment(id)}"
        self.id = id

    async def get(self) -> Document | None:
        """The document; `None` where there is none."""
        try:
            return Document(await self._client.call("GET", self._path))
        except EvokeError as error:
            if is_missing(error):
                return None
            raise

    async def exists(self) -> bool:
        """Whether it is there."""
        return await self.get() is not None

    async def create(self, document: Mapping[str, Any]) -> Document:
        """Creates it; 409 or 412 where it is there."""
        headers = {"if-none-match": "*"}
        asked = fields_of(document)
        return Document(await self._client.call("PUT", self._path, json=asked, headers=headers))

    async def set(self, document: Mapping[str, Any], *, if_revision: str | None = None) -> Document:
        """Makes it this document, whether it was there or not. With `if_revision` it must be there
        and still be that one, else 412."""
        query = {"upsert": "true"} if if_revision is None else None
        return Document(
            await self._client.call(
                "PUT",
                self._path,
                query=query,
                json=fields_of(document),
                headers=if_match(if_revision),
            )
        )

    async def update(
        self, changes: Mapping[str, Any], *, if_revision: str | None = None
    ) -> Document:
        """Changes the fields that are given, objects field by field; `None` takes a field away
        (JSON Merge Patch)."""
        return Document(
            await self._client.call(
                "PATCH", self._path, json=fields_of(changes), headers=if_match(if_revision)
            )
        )

    async def delete(self, *, if_revision: str | None = None) -> bool:
        """Deletes it; `False` where there was none."""
        try:
            await self._client.call("DELETE", self._path, headers=if_match(if_revision))
        except EvokeError as error:
            if is_missing(error):
                return False
            raise
        return True


def is_missing(error: EvokeError) -> bool:
    """Whether what was asked for is not there, and not the way to it."""
    return error.status == 404 and error.code.startswith(("DB_", "SO_", "AU_"))
