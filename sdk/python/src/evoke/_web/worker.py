"""The classes of requests: those of the worker this runs in, so that it knows its own answers, else
those of this package, so that handlers can be tested by themselves."""

from __future__ import annotations

import sys
from typing import Any

from . import messages

_worker: Any = sys.modules.get("_evoke_worker")

Request: Any = messages.Request if _worker is None else _worker.Request
Response: Any = messages.Response if _worker is None else _worker.Response
response_of: Any = messages.response_of if _worker is None else _worker.response_of
Context: Any = object if _worker is None else _worker.Context


def context() -> Any:
    """The context of the call this is asked in; `None` outside of any."""
    return None if _worker is None else _worker.context()
