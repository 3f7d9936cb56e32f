"""Who calls a route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..answers import User
from ..errors import EvokeError
from .middleware import Step, refused

__all__ = ["auth"]

UNKNOWN = "AU_002"
LACKS_ROLE = "AU_007"


class _Auth(Step):
    def __init__(self, required: bool, roles: frozenset[str]) -> None:
        self._required = required
        self._roles = roles

    def before(self, request: Any, context: Any) -> Any:
        header = request.headers.get("authorization")
        user = _known(context)
        if user is None and header:
            from .. import auth as service

            try:
                user = service.verify_token(header)
            except EvokeError as error:
                return self._unknown(error)
        return self._admit(request, user)

    async def before_async(self, request: Any, context: Any) -> Any:
        header = request.headers.get("authorization")
        user = _known(context)
        if user is None and header:
            from ..aio import auth as service

            try:
                user = await service.verify_token(header)
            except EvokeError as error:
                return self._unknown(error)
        return self._admit(request, user)

    def _unknown(self, error: EvokeError) -> Any:
        """Whoever shows a token that does not hold is told, even where none is needed."""
        if error.status not in (400, 401, 403):
            raise error
        return _unauthenticated(error.message)

    def _admit(self, request: Any, user: User | None) -> Any:
        request.user = user
        if user is None:
            # Nobody has no role.
            is_open = not self._required and not self._roles
            return None if is_open else _unauthenticated("sign in first")
        if self._roles and self._roles.isdisjoint(user.roles):
            needed = " or ".join(sorted(self._roles))
            return refused(403, LACKS_ROLE, f"this takes the role {needed}")
        return None


def _known(context: Any) -> User | None:
    """The user the server has verified, where the trigger asks for one."""
    user = getattr(context, "user", None)
    return None if user is None else User(user)


def _unauthenticated(message: str) -> Any:
    return refused(401, UNKNOWN, message, headers={"www-authenticate": "Bearer"})


def auth(*, required: bool = True, roles: Sequence[str] = ()) -> Step:
    """See `evoke.auth`."""
    if isinstance(roles, str):
        # Its letters would be the roles.
        raise TypeError(f"roles are a list: [{roles!r}]")
    return _Auth(required, frozenset(roles))
