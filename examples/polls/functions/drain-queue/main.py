"""Takes ten messages off the queue. Several may do so at once: who moves a message has it."""

from pathlib import Path

QUEUE = Path.cwd().parents[1] / "data" / "queue"
DONE = QUEUE.parent / "done"
BATCH = 10


def handler(event, context):
    DONE.mkdir(parents=True, exist_ok=True)
    taken = 0
    for message in sorted(QUEUE.glob("*.json"))[:BATCH]:
        try:
            message.rename(DONE / message.name)
        except FileNotFoundError:
            continue
        taken += 1
    print(f"{event['data']['depth']} messages waited, took {taken}")
    return {"taken": taken}
