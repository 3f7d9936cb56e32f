"""What happens to the documents of a collection, as it happens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ..documents import Change
from ..errors import MISSED, EvokeError
from ..feed import Messages
from ..retries import Retries
from . import net

if TYPE_CHECKING:
    from .client import Client

# The server says something every 15 seconds, be it that there is nothing to say.
SILENCE_SECONDS_MAX = 60.0
AGAIN = Retries(attempts=1 << 30, initial=0.5, longest=15.0)


async def changes_of(
    client: Client, path: str, action: str | None, after: str | None
) -> AsyncIterator[Change]:
    """Changes, through broken connections: each goes on where the last one ended.

    Raises `EvokeError` with the status 410 where some in between are not kept any more.
    """
    last = after
    failures = 0
    while True:
        messages = Messages()
        headers = {"accept": "text/event-stream"}
        if last:
            headers["last-event-id"] = last
        try:
            answer = await client.send(
                "GET",
                path,
                query={"action": action},
                headers=headers,
                timeout=SILENCE_SECONDS_MAX,
            )
            async for piece in answer.pieces():
                for message in messages.feed(piece):
                    failures = 0
                    if message.event == "missed":
                        raise _too_old(message.data)
                    if message.event == "change":
                        yield Change.of(json.loads(message.data))
                last = messages.last_id or last
        except EvokeError as error:
            if 400 <= error.status < 500:
                raise
        failures += 1
        await net.sleep(AGAIN.after_failure(failures, True) or 0)


def _too_old(told: str) -> EvokeError:
    """What to go on behind is older than what is kept: all has to be looked at anew."""
    since = json.loads(told).get("since")
    return EvokeError(
        f"changes were missed: those before {since} are not kept any more; read the documents anew",
        code=MISSED,
        status=410,
    )
