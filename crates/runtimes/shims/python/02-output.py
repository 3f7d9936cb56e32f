# What goes to the server: frames gather, those of one turn go out with one write.


class Output:
    """Gathers frames of all threads. Those of the event loop go out together at the end of its
    turn."""

    def __init__(self, sock):
        self.sock = sock
        self.lock = threading.Lock()
        self.buffer = bytearray()
        self.loop = None
        self.loop_thread = threading.get_ident()
        self.scheduled = False
        self.hurried = False
        self.blocked = False
        self.flushed_at = 0.0

    def put(self, kind, call, payload, prefix=b""):
        size = len(prefix) + len(payload)
        if size > FRAME_MAX - 64:
            raise ValueError(
                f"an answer of {size} bytes is more than one frame holds (64 MiB); stream it"
            )
        with self.lock:
            self.buffer += FRAME.pack(size + 5, kind, call)
            self.buffer += prefix
            self.buffer += payload
        if len(self.buffer) > OUT_SIZE:
            self.flush()
        elif (
            not self.scheduled
            and self.loop is not None
            and threading.get_ident() == self.loop_thread
        ):
            self.scheduled = True
            self.loop.call_soon(self.end_turn)

    def end_turn(self):
        self.scheduled = self.hurried = False
        self.flush()

    def hurry(self):
        """Sends a log line at once where nobody might come to do it later."""
        if threading.get_ident() == self.loop_thread:
            if self.hurried and now() - self.flushed_at < LOG_DELAY:
                return
            self.hurried = True
        self.flush()

    def flush(self):
        with self.lock:
            while self.buffer and not self.blocked:
                try:
                    sent = self.sock.send(self.buffer)
                except BlockingIOError:
                    self.blocked = True
                    self.loop.call_soon_threadsafe(
                        self.loop.add_writer, self.sock.fileno(), self.unblock
                    )
                    break
                except OSError:
                    os._exit(0)
                del self.buffer[:sent]
            self.flushed_at = now()

    def unblock(self):
        self.loop.remove_writer(self.sock.fileno())
        self.blocked = False
        self.flush()

    def drain(self):
        """Sends everything before the process ends, waiting for the server if need be."""
        with self.lock:
            self.sock.settimeout(5)
            try:
                self.sock.sendall(self.buffer)
            except OSError:
                os._exit(1)
            self.buffer.clear()


output = None
current = contextvars.ContextVar("evoke_call", default=None)
# Calls whose handler has not returned yet.
under_way = {}
closing = False
about = {}
