"""Makes `src/evoke/_sync` of `src/evoke/_async`: the same code without its `async` and `await`.

    python3 tools/sync_face.py [--check]

With `--check` it writes nothing and fails where something would change; the tests do that.
"""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "evoke"
# What is written by hand for each face.
BY_HAND = {"__init__.py", "net.py"}
WORDS = {
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}


def sync(text):
    """The synchronous form of a module."""
    text = re.sub(r"\basync (?=def|for|with)|\bawait ", "", text)
    text = re.sub(r"\b(" + "|".join(WORDS) + r")\b", lambda found: WORDS[found[0]], text)
    # A name may be imported in both of its forms.
    return re.sub(r"\b(Itera\w+), \1\b", r"\1", text)


def main():
    stale = []
    wanted = {path.name for path in (SOURCE / "_async").glob("*.py")}
    for name in sorted(wanted - BY_HAND):
        made = sync((SOURCE / "_async" / name).read_text("utf-8"))
        place = SOURCE / "_sync" / name
        if not place.exists() or place.read_text("utf-8") != made:
            stale.append(name)
            if "--check" not in sys.argv:
                place.write_text(made, "utf-8")
    for path in (SOURCE / "_sync").glob("*.py"):
        if path.name not in wanted:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.unlink()
    if stale and "--check" in sys.argv:
        sys.exit(f"run sdk/python/tools/sync_face.py: {', '.join(stale)} would change")


if __name__ == "__main__":
    main()
