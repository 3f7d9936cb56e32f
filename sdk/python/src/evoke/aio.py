"""The same as `evoke`, to be awaited: for handlers that are `async def`.

from evoke.aio import db

users = await db.collection("users").where("active", "==", True).get()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._async.auth import Auth
    from ._async.client import Client as Client
    from ._async.database import Database
    from ._async.events import Events
    from ._async.functions import Functions
    from ._async.http import Http
    from ._async.storage import Storage

    db: Database
    storage: Storage
    auth: Auth
    events: Events
    functions: Functions
    http: Http

_SERVICES = frozenset(("db", "storage", "auth", "events", "functions", "http"))

__all__ = ["Client", "auth", "db", "events", "functions", "http", "storage"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    package = __name__.rpartition(".")[0]
    if name in _SERVICES:
        value = getattr(import_module("._async.client", package).default(), name)
    elif name == "Client":
        value = import_module("._async.client", package).Client
    elif name.startswith("__"):
        raise AttributeError(name)
    else:
        # What does not wait for anything is the same in both faces.
        value = getattr(import_module(package), name)
    globals()[name] = value
    return value
