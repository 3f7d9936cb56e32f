"""Which failures are tried again, and when. Decisions only: nothing here waits or sends."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Retries"]

# Requests with these may be repeated: a second one changes nothing that the first has not.
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
# Answers after which another attempt may do better.
PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
# Codes with which an Evoke server says that it has not begun: it stops, it starts, its intake or
# the queue of a function is full.
NOT_BEGUN = frozenset(("API_007", "API_010", "EV_003", "FN_007"))
# Codes of which the wait is left to the caller: an account is locked, and a program that sleeps
# before the same password helps nobody.
NEVER_AGAIN = frozenset(("AU_003",))
# Answers of an Evoke server that may have one of these codes.
CODED = frozenset((429, 503))


def _chance() -> float:
    """A number from 0 to 1. The module `random` would cost a start more than all of this one."""
    return int.from_bytes(os.urandom(4), "big") / (1 << 32)


class Retries(NamedTuple):
    """How often a request is tried again, after waits that double and of which a random part is
    left out.

    Times are in seconds. A `Retry-After` of the server is kept; where it is longer than
    `longest_wait`, its answer is given back instead.
    """

    attempts: int = 4
    initial: float = 0.1
    longest: float = 5.0
    longest_wait: float = 15.0
    chance: Callable[[], float] = _chance

    def after_failure(self, attempt: int, repeatable: bool) -> float | None:
        """Seconds to wait after the attempt of this number (from 1) brought no answer; `None` for
        not again."""
        return self._backoff(attempt) if repeatable and attempt < self.attempts else None

    def after_answer(self, attempt: int, repeatable: bool, wanted: float | None) -> float | None:
        """The same after an answer that asks to wait for `wanted` seconds."""
        if not repeatable or attempt >= self.attempts:
            return None
        if wanted is None:
            return self._backoff(attempt)
        # Those who were sent away together should not come back together.
        return wanted + self._backoff(attempt) / 4 if wanted <= self.longest_wait else None

    def _backoff(self, attempt: int) -> float:
        # Enough doublings for any wait, and not too many for a number.
        doubled: float = self.initial * 2 ** min(attempt - 1, 32)
        return min(self.longest, doubled) * self.chance()


NEVER = Retries(attempts=1)
