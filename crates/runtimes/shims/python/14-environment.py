# Variables of the environment that each call has for itself.


class Environment(type(os.environ)):
    """The environment, with variables whose value is that of the call that reads them."""

    of_call = {"EVOKE_TOKEN": "token", "EVOKE_EXECUTION_ID": "executionId"}

    def __getitem__(self, key):
        if key in self.of_call and (call := current.get()) is not None:
            return call.raw[self.of_call[key]]
        return super().__getitem__(key)

    def __iter__(self):
        yield from super().__iter__()
        if current.get() is not None:
            yield from self.of_call
