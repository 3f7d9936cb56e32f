"""Asked every three seconds: fires while more messages wait than the threshold allows."""

import os
from pathlib import Path

QUEUE = Path.cwd().parents[1] / "data" / "queue"


def handler(question, context):
    depth = len(list(QUEUE.glob("*.json")))
    threshold = int(os.environ["THRESHOLD"])
    return {
        "fire": depth > threshold,
        "context": {"depth": depth},
        "reason": f"{depth} messages wait, up to {threshold} may",
    }
