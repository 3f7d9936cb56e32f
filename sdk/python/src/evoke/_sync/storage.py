"""Buckets of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..answers import Bucket, FileInfo, FilePage
from ..values import segment
from .file import FileRef

if TYPE_CHECKING:
    from .client import Client


class Storage:
    """The storage of a project."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def bucket(self, name: str) -> BucketRef:
        """A bucket, whether it is there yet or not."""
        return BucketRef(self._client, name)

    def buckets(self) -> list[Bucket]:
        """The buckets there are."""
        found: list[Bucket] = []
        cursor = None
        while True:
            told = self._client.call("GET", "/api/buckets", query={"cursor": cursor})
            found.extend(Bucket.of(one) for one in told["data"])
            cursor = told.get("next_cursor")
            if cursor is None:
                return found


class BucketRef:
    """One bucket."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._path = f"/api/buckets/{segment(name)}"
        self.name = name

    def file(self, name: str) -> FileRef:
        """A file, whether it is there yet or not."""
        return FileRef(self._client, self.name, name)

    def list(self, prefix: str | None = None) -> Iterator[FileInfo]:
        """The files whose names begin so, by name, read page by page as they are wanted."""
        cursor = None
        while True:
            page = self.page(prefix, cursor=cursor)
            for file in page.data:
                yield file
            cursor = page.next_cursor
            if cursor is None:
                return

    def page(
        self,
        prefix: str | None = None,
        *,
        delimiter: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> FilePage:
        """A page of files. With a `delimiter` names that have it behind the prefix are folded into
        `prefixes`, as folders are."""
        query: dict[str, Any] = {
            "prefix": prefix,
            "delimiter": delimiter,
            "limit": limit,
            "cursor": cursor,
        }
        told = self._client.call("GET", f"{self._path}/files", query=query)
        files = [FileInfo.of(file) for file in told["data"]]
        return FilePage(files, list(told.get("prefixes") or ()), told.get("next_cursor"))

    def info(self) -> Bucket:
        """What it takes."""
        return Bucket.of(self._client.call("GET", self._path))

    def define(
        self,
        *,
        max_file_bytes: int | None = None,
        allowed_types: Sequence[str] | None = None,
        public: bool | None = None,
    ) -> Bucket:
        """Makes it a bucket that takes this; what is left out has its default."""
        asked = {
            "max_file_bytes": max_file_bytes,
            "allowed_types": allowed_types,
            "public": public,
        }
        return Bucket.of(self._client.call("PUT", self._path, json=asked))

    def drop(self) -> None:
        """Deletes it; it must be empty."""
        self._client.call("DELETE", self._path)
