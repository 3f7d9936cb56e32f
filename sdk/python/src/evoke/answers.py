"""What services answer, as values: what comes more than one way is a dict with attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from .values import instant

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Bucket", "FileInfo", "FilePage", "Published", "Session", "SignedLink", "User"]

# What carries an entry of metadata in the headers of a file.
METADATA_PREFIX = "x-meta-"


class Published(dict[str, Any]):
    """What became of events."""

    @property
    def id(self) -> str:
        """The id of the first."""
        return str(self["ids"][0])

    @property
    def ids(self) -> list[str]:
        """Their ids, in the order they were given."""
        return list(self["ids"])

    @property
    def duplicates(self) -> list[int]:
        """Places of events that were taken before under the same id or key."""
        return list(self.get("duplicates") or ())


class User(dict[str, Any]):
    """A user, as the server or a token knows it."""

    @property
    def id(self) -> str:
        """The id."""
        return str(self["id"])

    @property
    def email(self) -> str | None:
        """The address."""
        return self.get("email")

    @property
    def email_verified(self) -> bool:
        """Whether its owner proved to read mail there."""
        return bool(self.get("email_verified"))

    @property
    def issuer(self) -> str | None:
        """Who knows the user, where that is another server: ids differ within one issuer only."""
        return self.get("issuer")

    @property
    def roles(self) -> list[str]:
        """The roles."""
        return list(self.get("roles") or ())


class Session(NamedTuple):
    """What somebody has who signed in. Its text shows no token."""

    user: User
    access_token: str
    refresh_token: str
    # Seconds the access token holds.
    expires_in: int
    session_id: str | None = None

    def __repr__(self) -> str:
        return f"<Session of {self.user.id}>"

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Session | None:
        """Reads an answer; `None` where there are no tokens before the address is verified."""
        if not told.get("access_token"):
            return None
        return cls(
            User(told["user"]),
            told["access_token"],
            told["refresh_token"],
            int(told.get("expires_in") or 0),
            told.get("session_id"),
        )


class Bucket(NamedTuple):
    """What is known of a bucket."""

    name: str
    max_file_bytes: int
    allowed_types: list[str]
    public: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Bucket:
        """Reads what the server says."""
        return cls(
            told["name"],
            told["max_file_bytes"],
            list(told["allowed_types"]),
            told["public"],
            instant(told["created_at"]),
            instant(told["updated_at"]),
        )


class FileInfo(NamedTuple):
    """What is known of a file."""

    bucket: str
    name: str
    size_bytes: int
    content_type: str
    # The hash of its bytes, without quotes.
    etag: str
    # What its sender keeps with it; names are in small letters.
    metadata: dict[str, str]
    updated_at: datetime | None = None
    created_at: datetime | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> FileInfo:
        """Reads what the server says."""
        return cls(
            told["bucket"],
            told["name"],
            told["size_bytes"],
            told["content_type"],
            told["etag"],
            dict(told.get("metadata") or {}),
            instant(told["updated_at"]),
            instant(told["created_at"]),
        )

    @classmethod
    def of_headers(cls, bucket: str, name: str, headers: Any) -> FileInfo:
        """Reads it from the headers of an answer with the file."""
        from email.utils import parsedate_to_datetime

        start = len(METADATA_PREFIX)
        modified = headers.get("last-modified")
        return cls(
            bucket,
            name,
            int(headers.get("content-length") or 0),
            headers.get("content-type") or "application/octet-stream",
            headers.get("etag", "").removeprefix("W/").strip('"'),
            {
                key[start:]: unquote(value)
                for key, value in headers.items()
                if key.startswith(METADATA_PREFIX)
            },
            None if modified is None else parsedate_to_datetime(modified),
        )


class FilePage(NamedTuple):
    """Some of the files, the folders names were folded into, and where the next page begins."""

    data: list[FileInfo]
    prefixes: list[str]
    next_cursor: str | None


class SignedLink(NamedTuple):
    """An address that works without a key for a while."""

    url: str
    method: str
    expires_at: datetime
