"""Who somebody is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..answers import Session, User
from ..errors import NOT_SIGNED_IN, EvokeError
from ..values import segment
from .database import is_missing

if TYPE_CHECKING:
    from .._web.middleware import Step
    from .client import Client


class Auth:
    """Users, their sessions and their tokens.

    It can be called, too: `auth(required=True)` is the middleware that asks who calls a route.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        # Their administration.
        self.users = Users(client)

    def __call__(self, *, required: bool = True, roles: Sequence[str] = ()) -> Step:
        """A middleware that sets `request.user`. Without `required` strangers are let through,
        unless there are `roles`, of which the user must have one."""
        from .._web.auth import auth

        return auth(required=required, roles=roles)

    def verify_token(self, header: str | None) -> User:
        """The user of an access token, given as such or as `Bearer ...`.

        Raises `EvokeError` with the status 401 where it does not hold or there is none.
        """
        token = bearer(header)
        if not token:
            raise EvokeError("there is no token", code=NOT_SIGNED_IN, status=401)
        path = "/api/auth/verify-token"
        told = self._client.call("POST", path, json={"token": token}, repeatable=True)
        return User(told["user"])

    def signup(
        self, email: str, password: str, *, data: Mapping[str, Any] | None = None
    ) -> Session | None:
        """Makes an account. The session is `None` where the address has to be verified first.
        `data` is what the application keeps with the user."""
        asked: dict[str, Any] = {"email": email, "password": password}
        if data is not None:
            asked["data"] = dict(data)
        return Session.of(self._client.call("POST", "/api/auth/signup", json=asked))

    def login(self, email: str, password: str) -> Session:
        """Begins a session."""
        asked = {"email": email, "password": password}
        session = Session.of(self._client.call("POST", "/api/auth/login", json=asked))
        if session is None:
            message = "the address is not verified yet"
            raise EvokeError(message, code=NOT_SIGNED_IN, status=403)
        return session

    def refresh(self, refresh_token: str) -> Session:
        """New tokens for the refresh token, which is good for once."""
        asked = {"refresh_token": refresh_token}
        session = Session.of(self._client.call("POST", "/api/auth/refresh", json=asked))
        if session is None:
            raise EvokeError("the server gave no tokens", code=NOT_SIGNED_IN, status=401)
        return session

    def logout(self, refresh_token: str, *, everywhere: bool = False) -> None:
        """Ends the session, or all sessions of its user."""
        asked = {"refresh_token": refresh_token, "all": everywhere}
        self._client.call("POST", "/api/auth/logout", json=asked)

    def me(self, access_token: str) -> User:
        """Whoever has this access token."""
        return User(self._client.call("GET", "/api/auth/me", bearer=access_token))

    def update_me(
        self,
        access_token: str,
        *,
        data: Mapping[str, Any] | None = None,
        password: str | None = None,
        current_password: str | None = None,
    ) -> User:
        """Changes what one may change of oneself; another password needs the one so far."""
        given = {"data": data, "password": password, "current_password": current_password}
        asked = {name: value for name, value in given.items() if value is not None}
        path = "/api/auth/me"
        return User(self._client.call("PATCH", path, json=asked, bearer=access_token))

    def request_email_verification(self, email: str) -> None:
        """Sends the mail that verifies an address once more."""
        asked = {"email": email}
        self._client.call("POST", "/api/auth/verify-email/request", json=asked)

    def verify_email(self, token: str) -> None:
        """Verifies an address with the token of the mail."""
        self._client.call("POST", "/api/auth/verify-email", json={"token": token})

    def request_password_reset(self, email: str) -> None:
        """Sends a mail to who forgot the password; nobody is told whether there is such an
        account."""
        asked = {"email": email}
        self._client.call("POST", "/api/auth/password-reset/request", json=asked)

    def reset_password(self, token: str, password: str) -> None:
        """Sets another password with the token of the mail."""
        asked = {"token": token, "password": password}
        self._client.call("POST", "/api/auth/password-reset", json=asked)

    def jwks(self) -> dict[str, Any]:
        """The keys with which others verify access tokens."""
        return dict(self._client.call("GET", "/api/auth/jwks"))


class Users:
    """All users. For API keys and functions."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self, *, email: str | None = None, role: str | None = None
    ) -> Iterator[User]:
        """The users, the oldest first, read page by page as they are wanted."""
        cursor = None
        while True:
            query = {"email": email, "role": role, "cursor": cursor}
            told = self._client.call("GET", "/api/auth/users", query=query)
            for user in told["data"]:
                yield User(user)
            cursor = told.get("next_cursor")
            if cursor is None:
                return

    def get(self, id: str) -> User | None:
        """One; `None` where there is none."""
        try:
            return User(self._client.call("GET", f"/api/auth/users/{segment(id)}"))
        except EvokeError as error:
            if is_missing(error):
                return None
            raise

    def create(
        self,
        email: str,
        *,
        password: str | None = None,
        roles: Sequence[str] | None = None,
        data: Mapping[str, Any] | None = None,
        email_verified: bool | None = None,
    ) -> User:
        """Makes an account for somebody; without a password its owner sets one by mail."""
        given = {
            "email": email,
            "password": password,
            "roles": roles,
            "data": data,
            "email_verified": email_verified,
        }
        asked = {name: value for name, value in given.items() if value is not None}
        return User(self._client.call("POST", "/api/auth/users", json=asked))

    def update(self, id: str, changes: Mapping[str, Any]) -> User:
        """Changes one: `roles`, `data`, `email_verified`; `{"locked_until": None}` ends a lock."""
        path = f"/api/auth/users/{segment(id)}"
        return User(self._client.call("PATCH", path, json=dict(changes)))

    def delete(self, id: str) -> bool:
        """Deletes one; `False` where there was none."""
        try:
            self._client.call("DELETE", f"/api/auth/users/{segment(id)}")
        except EvokeError as error:
            if is_missing(error):
                return False
            raise
        return True


def bearer(header: str | None) -> str:
    """The token of a header `Authorization`, or of one that is given bare."""
    text = (header or "").strip()
    scheme, _, rest = text.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else text
