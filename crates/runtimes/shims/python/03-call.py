# A call while it lasts, and what is printed meanwhile.


class Call:
    """One call, from its frame to its last frame. Also holds what is printed meanwhile."""

    __slots__ = (
        "id",
        "raw",
        "http",
        "params",
        "done",
        "reason",
        "task",
        "sent",
        "taken",
        "wake",
        "log_left",
        "dropped",
        "partial",
    )

    def __init__(self, id, raw, http):
        self.id = id
        self.raw = raw
        self.http = http
        self.params = None
        self.done = False
        self.reason = None
        self.task = None
        self.sent = 0
        self.taken = 0
        self.wake = None
        self.log_left = LOG_MAX
        self.dropped = 0
        self.partial = None

    def log(self, level, text):
        """Takes what was printed: a message, which may hold line breaks."""
        if self.done:
            return stray.log(level, text)
        if self.log_left <= 0:
            self.dropped += 1
            return None
        if len(text) > LINE_MAX:
            text = f"{text[:LINE_MAX]} … [cut after {LINE_MAX} characters]"
        self.log_left -= len(text)
        output.put(LOG, self.id, text.encode("utf-8", "replace"), bytes((level,)))
        return output.hurry()

    def write(self, level, text):
        """Takes what was written to the standard output; a line is complete with its line break."""
        if self.log_left <= 0:
            self.dropped += 1
            return
        if self.partial is None:
            self.partial = ["", "", "", ""]
        lines = text.split("\n", 8192)
        lines[0] = self.partial[level] + lines[0]
        self.partial[level] = lines.pop()[: LINE_MAX + 1]
        for line in lines:
            self.log(level, line)

    def end_log(self):
        for level, rest in enumerate(self.partial or ()):
            if rest:
                self.log(level, rest)
        self.partial = None
        if self.dropped:
            bound = f"more than {LOG_MAX >> 20} MiB was printed"
            text = f"… {self.dropped} more log messages were dropped: {bound}"
            self.dropped = 0
            output.put(LOG, self.id, text.encode(), bytes((WARN,)))

    def cancel(self, reason):
        """Nobody wants the answer: a task is cancelled, a thread can ask `context.cancelled`."""
        if self.reason is None:
            self.reason = reason
            if self.task is not None:
                self.task.cancel()
            elif self.wake is not None:
                self.wake()

    def window(self):
        """Bytes that may be sent now. Each count has one writer, because several threads are
        at it."""
        return WINDOW - self.sent + self.taken

    def acknowledged(self, size):
        self.taken += size
        if self.wake is not None:
            self.wake()

    def end(self, kind, payload, prefix=b""):
        if self.done:
            return
        if self.partial is not None or self.dropped:
            self.end_log()
        output.put(kind, self.id, payload, prefix)
        self.done = True
        under_way.pop(self.id, None)
        if closing and not under_way:
            output.loop.call_soon_threadsafe(leave)

    def fail(self, error):
        if not self.done:
            self.end(ERROR, encode(describe(error, self.reason)).encode("utf-8", "replace"))


class Stray(Call):
    """What is printed outside of any call: the bound counts anew each second."""

    since = 0.0

    def log(self, level, text):
        if now() - self.since > 1:
            self.end_log()
            self.since = now()
            self.log_left = LOG_MAX
        super().log(level, text)


stray = Stray(0, {}, False)


def printing():
    """The call that is under way where this is asked, or `stray`."""
    call = current.get()
    return stray if call is None or call.done else call
