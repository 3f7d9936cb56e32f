"""Where the server is and who calls: told by hand, or found out anew for each call.

Within a function both come from the call that is under way, which the worker keeps in a context
variable, so that calls that run at the same time, on threads or on the event loop, each have their
own. Elsewhere they come from the environment: `EVOKE_URL`, `EVOKE_API_KEY` or `EVOKE_TOKEN`. What
the environment or a call says of who asks is for its own server: no other one gets to see it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from .wire import address_of

__all__ = ["Caller", "ambient", "call_under_way"]

DEFAULT_URL = "http://127.0.0.1:8090"


class Caller(NamedTuple):
    """Where a request goes, and in whose name."""

    url: str
    token: str | None = None
    traceparent: str | None = None
    request_id: str | None = None
    # Seconds of the epoch after which nobody waits for anything.
    deadline: float | None = None
    is_worker: bool = False

    def headers(self) -> dict[str, str]:
        """What goes with every request."""
        headers = {}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if self.traceparent:
            headers["traceparent"] = self.traceparent
        if self.request_id:
            headers["x-request-id"] = self.request_id
        return headers


def call_under_way() -> Mapping[str, Any] | None:
    """What the server said of the call this is asked in; `None` outside of a function."""
    worker = sys.modules.get("_evoke_worker")
    return None if worker is None else worker.call()


def ambient(
    url: str | None = None, key: str | None = None, call: Mapping[str, Any] | None = None
) -> Caller:
    """Who calls right now; what is given goes before what is found."""
    call = call or call_under_way()
    if call is None:
        call = {"token": os.environ.get("EVOKE_API_KEY") or os.environ.get("EVOKE_TOKEN")}
    home = os.environ.get("EVOKE_URL") or DEFAULT_URL
    known = call if not url or _is_same_server(url, home) else {}
    deadline = call.get("deadlineMs")
    return Caller(
        url or home,
        key or known.get("token"),
        known.get("traceparent"),
        known.get("requestId"),
        None if deadline is None else deadline / 1000,
        "_evoke_worker" in sys.modules,
    )


def _is_same_server(one: str, other: str) -> bool:
    return one == other or address_of(one)[0] == address_of(other)[0]
