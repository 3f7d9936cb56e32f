"""So many requests in a while."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .middleware import Step, refused

__all__ = ["rate_limit"]

LIMITED = "FN_007"
# Callers that are remembered; the one that was not seen for longest is forgotten first.
KEYS_MAX = 10_000
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class _Limit(Step):
    def __init__(
        self,
        max_requests: int,
        window: float,
        key: Callable[[Any], str],
        clock: Callable[[], float],
    ) -> None:
        self._max = max_requests
        self._window = window
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        # When the next request of a key would be just on time, if they came evenly.
        self._due: OrderedDict[str, float] = OrderedDict()

    def before(self, request: Any, context: Any) -> Any:
        wait = self._take(self._key(request), self._clock())
        if wait <= 0:
            return None
        seconds = math.ceil(wait)
        return refused(
            429,
            LIMITED,
            f"more than {self._max} requests in {self._window:g} s; try again in {seconds} s",
            headers={"retry-after": str(seconds)},
        )

    def _take(self, key: str, now: float) -> float:
        """Counts a request; seconds until there is room again, 0 where there is."""
        each = self._window / self._max
        with self._lock:
            due = max(self._due.get(key, now), now)
            wait = due + each - now - self._window
            # What is lost to rounding must not cost the last request of a window.
            if wait > 1e-9 * self._window:
                return wait
            self._due[key] = due + each
            self._due.move_to_end(key)
            if len(self._due) > KEYS_MAX:
                self._due.popitem(last=False)
        return 0.0


def caller(request: Any) -> str:
    """Who calls, as far as it shows: the user, else the address the server was called from."""
    if request.user is not None:
        return f"user {request.user.id}"
    forwarded = request.headers.get("x-forwarded-for") or ""
    # Whoever writes the header himself must not count as somebody else's user.
    return f"address {forwarded.rpartition(',')[2].strip()}"


def rate_limit(
    *,
    max_requests: int,
    window: str | float = "1m",
    key: Callable[[Any], str] = caller,
    clock: Callable[[], float] = time.monotonic,
) -> Step:
    """So many requests of each caller at once, and room for as many again over each window; others
    get 429 with `Retry-After`.

    Each worker process counts for itself. A limit over all of them is the trigger's policy `rate`.
    """
    seconds = _seconds(window)
    if max_requests < 1 or not seconds > 0:
        raise ValueError("a rate limit lets one request through at least, in some time")
    return _Limit(max_requests, seconds, key, clock)


def _seconds(window: str | float) -> float:
    if not isinstance(window, str):
        return float(window)
    digits = window.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS.get(window[len(digits) :])
    try:
        return float(digits) * (unit or math.nan)
    except ValueError:
        return math.nan
