# What a handler gets beside its event or request.


class Named(dict):
    """A dict whose items are attributes too."""

    __getattr__ = dict.get


def read_only(name):
    return property(lambda self: self._call.raw.get(name))


class Context:
    """What a handler gets as its second argument. Names of other languages (`executionId`)
    work too."""

    __slots__ = ("_call",)
    request_id, execution_id = read_only("requestId"), read_only("executionId")
    attempt, traceparent, token = read_only("attempt"), read_only("traceparent"), read_only("token")
    trigger = property(lambda self: Named(self._call.raw.get("trigger") or {}))
    function = property(lambda self: Named(name=about["function"], version=about["version"]))
    params = property(lambda self: self._call.params)
    env = property(lambda self: os.environ)
    # Whether the event repeats one of the log.
    is_replay = property(lambda self: self._call.raw.get("isReplay", False))
    is_test_run = property(lambda self: self._call.raw.get("isTestRun", False))

    def __init__(self, call):
        self._call = call

    def __getattr__(self, name):
        snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
        if snake == name:
            raise AttributeError(f"a context has no {name!r}")
        return getattr(self, snake)

    @property
    def deadline(self):
        """When the call runs out of time, as a datetime in UTC."""
        from datetime import datetime, timezone

        return datetime.fromtimestamp(self._call.raw["deadlineMs"] / 1000, timezone.utc)

    @property
    def batch(self):
        """How many events the handler gets at once, as `size`; `None` where it gets one."""
        batch = self._call.raw.get("batch")
        return None if batch is None else Named(batch)

    @property
    def user(self):
        """The user who calls a route that asks for one, as `id`, `email`, `email_verified`, `roles`
        and `issuer`; else `None`."""
        user = self._call.raw.get("user")
        return None if user is None else Named(user)

    def remaining_ms(self):
        """Milliseconds until then, at least 0."""
        return max(0, self._call.raw["deadlineMs"] - round(time.time() * 1000))

    @property
    def cancelled(self):
        """Whether nobody wants the answer any more."""
        return self._call.reason is not None

    @property
    def log(self):
        import logging

        return logging.getLogger(about["function"])

    @property
    def evoke(self):
        """A client of the server this function runs in, with the call's token."""
        return client_of(self._call.raw)

    def __repr__(self):
        return f"<Context of {self.execution_id}, attempt {self.attempt}>"
