# What is printed or logged belongs to the call that did it.


class Printed:
    """The standard output or error as handlers see it."""

    encoding = "utf-8"
    errors = "replace"
    newlines = None
    closed = False
    line_buffering = True

    def __init__(self, level, original):
        self.level = level
        self.original = original
        self.name = original.name if original else "<printed>"
        self.buffer = types.SimpleNamespace(
            write=self.write_bytes, flush=self.flush, fileno=self.fileno
        )

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        printing().write(self.level, text)
        return len(text)

    def write_bytes(self, data):
        self.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def fileno(self):
        return self.original.fileno()

    def flush(self):
        pass

    def close(self):
        pass

    def reconfigure(self, **_):
        pass

    def isatty(self):
        return False

    def readable(self):
        return False

    seekable = readable

    def writable(self):
        return True


def install_printing():
    import logging

    class Handler(logging.Handler):
        def emit(self, record):
            try:
                printing().log(min(3, max(0, record.levelno // 10 - 1)), self.format(record))
            except Exception:
                self.handleError(record)

    def wanted(record):
        # Debug lines of packages are noise, and may hold what should not be kept; those of the
        # function are wanted.
        own = record.levelno >= logging.INFO or record.pathname.startswith(about.get("code", "\0"))
        return own and (record.levelno >= logging.INFO or "/.evoke/" not in record.pathname)

    sys.stdout = Printed(INFO, sys.__stdout__)
    sys.stderr = Printed(FAULT, sys.__stderr__)
    handler = Handler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(wanted)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    logging.captureWarnings(True)
    threading.excepthook = lambda told: printing().log(
        FAULT, f"Uncaught exception in a thread: {stack_of(told.exc_value)}"
    )
