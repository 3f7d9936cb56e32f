"""Evoke, for functions and for apps.

    from evoke import db

    users = db.collection("users").where("active", "==", True).get()

Within a function everything is there without installing anything, and calls carry the token, the
trace and the request id of the call under way. Elsewhere `EVOKE_URL` and `EVOKE_API_KEY` say where
the server is and who asks. Handlers that are `async def` import the same names from `evoke.aio` and
await.

Nothing is loaded before it is used: a function that starts pays for what it needs.
"""

from __future__ import annotations

import sys

# The module `typing` is not loaded for this alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._secrets import Secrets
    from ._sync.auth import Auth
    from ._sync.client import Client as Client
    from ._sync.database import Database
    from ._sync.events import Events
    from ._sync.functions import Functions
    from ._sync.http import Http
    from ._sync.storage import Storage
    from ._web.cors import cors as cors
    from ._web.limit import rate_limit as rate_limit
    from ._web.messages import Request as Request
    from ._web.messages import Response as Response
    from ._web.middleware import middleware as middleware
    from ._web.validate import validate as validate
    from ._web.worker import Context as Context
    from ._web.worker import context as context
    from .answers import Session as Session
    from .answers import User as User
    from .documents import Change as Change
    from .documents import Document as Document
    from .errors import EvokeError as EvokeError
    from .errors import Problem as Problem
    from .hooks import reject as reject
    from .retries import Retries as Retries

    db: Database
    storage: Storage
    auth: Auth
    events: Events
    functions: Functions
    http: Http
    secrets: Secrets

__version__ = "0.1.0"

__all__ = [
    "Change",
    "Client",
    "Context",
    "Document",
    "EvokeError",
    "Problem",
    "Request",
    "Response",
    "Retries",
    "Session",
    "User",
    "auth",
    "context",
    "cors",
    "db",
    "events",
    "functions",
    "http",
    "middleware",
    "rate_limit",
    "reject",
    "secrets",
    "storage",
    "validate",
]

_SERVICES = frozenset(("db", "storage", "auth", "events", "functions", "http"))
_HOMES = {
    "Change": "documents",
    "Client": "_sync.client",
    "Context": "_web.worker",
    "Document": "documents",
    "EvokeError": "errors",
    "Problem": "errors",
    "Request": "_web.worker",
    "Response": "_web.worker",
    "Retries": "retries",
    "Session": "answers",
    "User": "answers",
    "context": "_web.worker",
    "cors": "_web.cors",
    "middleware": "_web.middleware",
    "rate_limit": "_web.limit",
    "reject": "hooks",
    "validate": "_web.validate",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    worker = sys.modules.get("_evoke_worker")
    if worker is not None and _HOMES.get(name) == "_web.worker":
        value = getattr(worker, name)
    elif name in _SERVICES:
        value = getattr(import_module("._sync.client", __name__).default(), name)
    elif name == "secrets":
        value = import_module("._secrets", __name__).Secrets()
    elif name in _HOMES:
        value = getattr(import_module("." + _HOMES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
