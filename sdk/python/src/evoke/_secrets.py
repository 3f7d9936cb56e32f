"""What the environment keeps from the code."""

from __future__ import annotations

import os
import sys
from typing import Any

from .errors import NO_SECRET, EvokeError

__all__ = ["Secrets"]

_NOTHING: Any = object()


class Secrets:
    """Secrets and variables of the function, as `environment` of its manifest gives them."""

    def get(self, name: str, default: Any = _NOTHING) -> Any:
        """The value of a name. Where there is none and no `default`, raises `EvokeError` with the
        nearest name there is."""
        value = os.environ.get(name)
        if value is not None:
            return value
        if default is not _NOTHING:
            return default
        near = _nearest(name)
        hint = f" (did you mean {near}?)" if near else ""
        raise EvokeError(
            f"there is no secret {name!r}{hint}: the manifest has to name it, "
            f'environment: {{ {name}: "${{secrets.{name}}}" }}',
            code=NO_SECRET,
        )

    def __contains__(self, name: object) -> bool:
        return name in os.environ

    def __getitem__(self, name: str) -> str:
        return str(self.get(name))


def _nearest(name: str) -> str | None:
    """The name that was probably meant: of the function's own, where it is known which these are,
    so that others are not told."""
    from difflib import get_close_matches

    worker = sys.modules.get("_evoke_worker")
    names = list(os.environ if worker is None else worker.environment())
    by_lower = {known.lower(): known for known in names}
    found = get_close_matches(name.lower(), by_lower, 1)
    return by_lower[found[0]] if found else None
