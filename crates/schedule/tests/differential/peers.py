"""Asks croniter for the next instants. Reads a line of JSON for each case; writes a line for each:
the instants in milliseconds, or why there are none."""

import json
import sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import croniter


def instants(asked):
    start = datetime.fromtimestamp(asked["start"] / 1000, timezone.utc)
    local = start.astimezone(ZoneInfo(asked["zone"]))
    seconds_first = len(asked["expression"].split()) > 5
    dates = croniter(asked["expression"], local, second_at_beginning=seconds_first)
    return [round(dates.get_next(float) * 1000) for _ in range(asked["count"])]


for line in sys.stdin:
    try:
        answer = {"instants": instants(json.loads(line))}
    except Exception as error:
        answer = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
