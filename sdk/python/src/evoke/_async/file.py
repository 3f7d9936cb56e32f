"""One file of a bucket."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

from ..answers import METADATA_PREFIX, FileInfo, SignedLink
from ..errors import EvokeError
from ..values import duration, instant, segment, segments
from . import net
from .database import is_missing
from .upload import upload_in_parts

if TYPE_CHECKING:
    from datetime import timedelta

    from .client import Client

# What is larger goes up in parts, so that a broken connection costs one of them.
WHOLE_MAX = 64 << 20


class FileRef:
    """A file, by its name."""

    def __init__(self, client: Client, bucket: str, name: str) -> None:
        self._client = client
        self._bucket = f"/api/buckets/{segment(bucket)}"
        self._path = f"{self._bucket}/files/{segments(name)}"
        self.bucket = bucket
        self.name = name

    async def download(self, *, start: int | None = None, end: int | None = None) -> bytes:
        """Its bytes: all, or from `start` up to and without `end`; a negative `start` counts from
        the end."""
        answer = await self._client.send("GET", self._path, headers=_range(start, end))
        return await answer.read()

    async def stream(
        self, *, start: int | None = None, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Its bytes as they come."""
        answer = await self._client.send("GET", self._path, headers=_range(start, end))
        async for piece in answer.pieces():
            yield piece

    async def upload(
        self,
        data: Any,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_new: bool = False,
    ) -> FileInfo:
        """Makes it these bytes, whether it was there or not.

        `data` is bytes, a text, an open file, or an iterator of bytes. The type is told from the
        name where it is not given. With `if_match` the file must still have this etag, with
        `if_new` there must be none of its name, else 412.
        """
        if isinstance(data, str):
            data = data.encode()
        elif isinstance(data, (bytearray, memoryview)):
            data = bytes(data)
        size = _size(data)
        if size is not None and size > WHOLE_MAX and if_match is None and not if_new:
            begun = {
                "name": self.name,
                "content_type": content_type,
                "metadata": dict(metadata or {}),
                "size": size,
            }
            return await upload_in_parts(self._client, f"{self._bucket}/uploads", begun, data)
        headers = {
            METADATA_PREFIX + name.lower(): quote(value) for name, value in (metadata or {}).items()
        }
        if content_type is not None:
            headers["content-type"] = content_type
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        if if_new:
            headers["if-none-match"] = "*"
        length = None if isinstance(data, bytes) else size
        return FileInfo.of(
            await self._client.call("PUT", self._path, body=data, length=length, headers=headers)
        )

    async def upload_file(self, path: str | os.PathLike[str], **options: Any) -> FileInfo:
        """Uploads a file of the disk; the options are those of `upload`."""
        with open(path, "rb") as file:
            return await self.upload(file, **options)

    async def download_file(self, path: str | os.PathLike[str]) -> None:
        """Writes its bytes to a file of the disk."""
        with open(path, "wb") as file:
            async for piece in self.stream():
                await net.in_thread(file.write, piece)

    async def delete(self) -> bool:
        """Deletes it; `False` where there was none."""
        try:
            await self._client.call("DELETE", self._path)
        except EvokeError as error:
            if is_missing(error):
                return False
            raise
        return True

    async def exists(self) -> bool:
        """Whether it is there."""
        return await self.metadata() is not None

    async def metadata(self) -> FileInfo | None:
        """What is known of it; `None` where there is none."""
        try:
            answer = await self._client.send("HEAD", self._path)
        except EvokeError as error:
            # The answer to HEAD has no body that could say more.
            if error.status == 404:
                return None
            raise
        return FileInfo.of_headers(self.bucket, self.name, answer.headers)

    async def update(
        self,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str | None] | None = None,
    ) -> FileInfo:
        """Changes its type or entries of its metadata, of which `None` takes one away; its bytes
        stay."""
        asked: dict[str, Any] = {}
        if content_type is not None:
            asked["content_type"] = content_type
        if metadata is not None:
            asked["metadata"] = dict(metadata)
        return FileInfo.of(await self._client.call("PATCH", self._path, json=asked))

    async def copy(self, to: str, *, bucket: str | None = None) -> FileInfo:
        """Copies it, within its bucket or to another one."""
        asked = {"from": self.name, "to": to, "to_bucket": bucket}
        return FileInfo.of(await self._client.call("POST", f"{self._bucket}/copy", json=asked))

    async def signed_url(
        self, method: str = "GET", *, expires_in: str | float | timedelta = "15m"
    ) -> str:
        """An address that works without a key for a while: to read it, or with PUT to write it."""
        return (await self.sign(method, expires_in=expires_in)).url

    async def sign(
        self, method: str = "GET", *, expires_in: str | float | timedelta = "15m"
    ) -> SignedLink:
        """The same, with when it is over."""
        asked = {"name": self.name, "method": method, "expires_in": duration(expires_in)}
        told = await self._client.call("POST", f"{self._bucket}/sign", json=asked)
        url = urljoin(self._client.caller().url + "/", told["url"])
        return SignedLink(url, told["method"], instant(told["expires_at"]))


def _range(start: int | None, end: int | None) -> dict[str, str]:
    if start is None and end is None:
        return {}
    if start is not None and start < 0:
        if end is not None:
            raise ValueError("a range that counts from the end has no end")
        return {"range": f"bytes={start}"}
    return {"range": f"bytes={start or 0}-{'' if end is None else end - 1}"}


def _size(data: Any) -> int | None:
    """How many bytes there are, where that is known."""
    if isinstance(data, bytes):
        return len(data)
    try:
        return int(os.fstat(data.fileno()).st_size - data.tell())
    except (AttributeError, OSError, ValueError):
        return None
