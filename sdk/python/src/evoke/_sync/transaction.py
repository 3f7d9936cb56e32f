"""Several changes, all or none, based on what was read."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from ..documents import Document, fields_of
from ..errors import EvokeError
from ..values import segment

if TYPE_CHECKING:
    from .client import Client

Key = tuple[str, str]


class Transaction:
    """Changes that are made together, when the function that was given has returned."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._read: dict[Key, Document | None] = {}
        self._written: dict[Key, dict[str, Any]] = {}
        self._created: list[dict[str, Any]] = []

    def collection(self, name: str) -> TransactionCollection:
        """A collection, within the transaction."""
        return TransactionCollection(self, name)

    def read(self, collection: str, id: str) -> Document | None:
        """Reads a document; what was read must still be so when the changes are made."""
        key = (collection, id)
        if key in self._written:
            raise ValueError(f"{collection}/{id} was changed in this transaction: read it before")
        if key not in self._read:
            found = self._fetch(collection, id)
            # Of reads at the same time the first that is done counts for all: only it is checked.
            self._read.setdefault(key, found)
        return self._read[key]

    def _fetch(self, collection: str, id: str) -> Document | None:
        path = f"/api/collections/{segment(collection)}/documents/{segment(id)}"
        try:
            return Document(self._client.call("GET", path))
        except EvokeError as error:
            if error.status == 404 and error.code.startswith("DB_"):
                return None
            raise

    def write(
        self, op: str, collection: str, id: str | None, document: Mapping[str, Any] | None = None
    ) -> None:
        """Notes a change."""
        noted: dict[str, Any] = {"op": op, "collection": collection}
        if document is not None:
            noted["document"] = fields_of(document)
        if id is None:
            self._created.append(noted)
            return
        key = (collection, id)
        if key in self._written:
            raise ValueError(f"{collection}/{id} is changed twice in one transaction")
        noted["id"] = id
        if key in self._read:
            known = self._read[key]
            if known is not None:
                noted["if_match"] = known.revision
            elif op == "upsert":
                # What was not there may only be created, so that nobody else has done so meanwhile.
                noted["op"] = "create"
        self._written[key] = noted

    def has_read(self) -> bool:
        """Whether what was read decided anything, so that it makes sense to begin anew."""
        return bool(self._read)

    def commit(self) -> list[dict[str, Any]]:
        """Makes the changes, if everything that was read is still so."""
        checks = [
            _check(key, document)
            for key, document in self._read.items()
            if key not in self._written
        ]
        changes = [*self._written.values(), *self._created]
        # What was read in one look is as consistent as it gets.
        if not changes and len(checks) < 2:
            return []
        asked = {"operations": [*checks, *changes]}
        told = self._client.call("POST", "/api/transactions", json=asked)
        return list(told["data"][len(checks) :])


def _check(key: Key, document: Document | None) -> dict[str, Any]:
    """That a document still is what was read of it, or still is not there."""
    check: dict[str, Any] = {"op": "check", "collection": key[0], "id": key[1]}
    if document is None:
        return {**check, "revision": None}
    return {**check, "if_match": document.revision}


class TransactionCollection:
    """A collection, within a transaction."""

    def __init__(self, transaction: Transaction, name: str) -> None:
        self._transaction = transaction
        self._name = name

    def doc(self, id: str) -> TransactionDocument:
        """One document."""
        return TransactionDocument(self._transaction, self._name, id)

    def create(self, document: Mapping[str, Any]) -> None:
        """Creates a document; its `id` may be chosen."""
        id = document.get("id")
        self._transaction.write("create", self._name, None if id is None else str(id), document)


class TransactionDocument:
    """One document, within a transaction."""

    def __init__(self, transaction: Transaction, collection: str, id: str) -> None:
        self._transaction = transaction
        self._collection = collection
        self.id = id

    def get(self) -> Document | None:
        """What is there; `None` where there is nothing."""
        return self._transaction.read(self._collection, self.id)

    def create(self, document: Mapping[str, Any]) -> None:
        """Creates it, if it is not there."""
        self._transaction.write("create", self._collection, self.id, document)

    def set(self, document: Mapping[str, Any]) -> None:
        """Makes it this document, whether it was there or not."""
        self._transaction.write("upsert", self._collection, self.id, document)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Changes the fields that are given; `None` takes one away."""
        self._transaction.write("update", self._collection, self.id, changes)

    def delete(self) -> None:
        """Deletes it."""
        self._transaction.write("delete", self._collection, self.id)


def result_of(value: Any) -> Any:
    """What a function returned, when it is there."""
    return value if isawaitable(value) else value
