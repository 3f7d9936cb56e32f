"""The worker process of Python functions, for Python 3.10 and later.

It speaks docs/worker-protocol.md over EVOKE_SOCKET: loads one handler and runs many calls at once,
`async def` handlers on the event loop, `def` handlers on threads. It starts blank, so that the
server can keep workers waiting for a function.

Read it in this order: output, calls and what is printed, what handlers get and give, threads,
loading, main.
"""

import contextvars
import json
import os
import socket
import struct
import sys
import threading
import time
import types
from collections import deque

LOAD, EVENT, REQUEST, CANCEL, SHUTDOWN, ACK = range(0x01, 0x07)
HELLO, LOADED, LOAD_FAILED, RESULT, ERROR, HEAD, CHUNK, END, RESPONSE, LOG = range(0x81, 0x8B)
DEBUG, INFO, WARN, FAULT = range(4)

FRAME = struct.Struct("<IBI")
U32 = struct.Struct("<I")
FRAME_MAX = 64 << 20
READ_SIZE = 256 << 10
# A buffer of this size goes out before the turn ends.
OUT_SIZE = 128 << 10
# Bytes of a call's CHUNKs that may be on the way without an ACK, and of one CHUNK.
WINDOW = 1 << 20
CHUNK_MAX = 256 << 10
# Characters of one log line, and of all lines of one call (outside of calls: of one second).
LINE_MAX = 64 << 10
LOG_MAX = 1 << 20
STACK_MAX = 64 << 10
# A log line written this long after the last write goes out at once, because the handler may be
# about to block.
LOG_DELAY = 0.002
# How long a thread that has more calls to run keeps answers back, to send them together.
GATHER = 0.0005
# How often calls that wait for a thread are looked after, and how many threads there may be.
WATCH = 0.002
THREADS_MAX = 1024

decode = json.JSONDecoder().raw_decode
now = time.perf_counter


def describe_value(value):
    """What JSON has no form for, in the form one would expect."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (set, frozenset, deque)):
        return list(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if type(value).__module__ in ("uuid", "decimal", "pathlib"):
        return str(value)
    raise TypeError(f"the handler returned a {type(value).__name__}, which cannot be sent as JSON")


encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=describe_value
).encode


# ---- Output ----


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


# ---- Calls and what is printed ----


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


def describe(error, reason=None):
    """An error as the protocol has it, whatever was raised."""
    try:
        message = str(error)
        if isinstance(error, SystemExit):
            message = f"the handler called sys.exit({error.code!r})"
        elif type(error).__name__ == "CancelledError":
            texts = {"timeout": "the function ran out of time", "client_gone": "the client is gone"}
            message = texts.get(reason, "the call was cancelled")
        told = {
            "message": message[:STACK_MAX] or type(error).__name__,
            "type": type(error).__name__,
            "stack": stack_of(error),
        }
        if getattr(error, "retry", None) is False:
            told["retry"] = False
        after = getattr(error, "retry_after", getattr(error, "retryAfter", None))
        if isinstance(after, (int, float)) and after >= 0:
            told["retryAfterMs"] = round(after * 1000)
        return told
    except Exception:
        return {
            "message": "the handler raised an error that cannot be described",
            "type": type(error).__name__,
        }


def stack_of(error):
    """The traceback without the lines of this file and of the import machinery."""
    import traceback

    def strip(told, depth=0):
        if told is None or depth > 5:
            return
        frames = [f for f in told.stack if f.filename != __file__ and "importlib" not in f.filename]
        told.stack = traceback.StackSummary.from_list(frames)
        strip(told.__cause__, depth + 1)
        strip(told.__context__, depth + 1)

    told = traceback.TracebackException.from_exception(error)
    strip(told)
    return "".join(told.format())[-STACK_MAX:].rstrip()


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


# ---- What handlers get ----


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
        return Client(self._call.raw)

    def __repr__(self):
        return f"<Context of {self.execution_id}, attempt {self.attempt}>"


class Client:
    """Publishes events and invokes functions. `publish_async` and `invoke_async` do not block
    the event loop."""

    def __init__(self, raw):
        self.raw = raw
        self.events = types.SimpleNamespace(
            publish=self.publish, publish_async=self.in_thread(self.publish)
        )
        self.functions = types.SimpleNamespace(
            invoke=self.invoke, invoke_async=self.in_thread(self.invoke)
        )

    def publish(self, type, data=None, **options):
        return self.post("/api/events", {**options, "type": type, "data": data})

    def invoke(self, name, data=None, wait=True):
        """With `wait=False` it returns the execution instead of waiting for its result."""
        from urllib.parse import quote

        return self.post(
            f"/api/functions/{quote(name, safe='')}/invoke",
            data,
            {} if wait else {"prefer": "respond-async"},
        )

    @staticmethod
    def in_thread(method):
        async def run(*args, **options):
            import asyncio

            return await asyncio.to_thread(method, *args, **options)

        return run

    def post(self, path, body, headers=()):
        from urllib.error import HTTPError
        from urllib.request import Request as Outgoing, urlopen

        known = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.raw.get('token')}",
            **dict(headers),
        }
        if self.raw.get("traceparent"):
            known["traceparent"] = self.raw["traceparent"]
        try:
            with urlopen(
                Outgoing(about["url"] + path, encode(body).encode(), known, method="POST")
            ) as answer:
                text = answer.read()
                return (
                    json.loads(text)
                    if text and "json" in answer.headers.get("content-type", "")
                    else text.decode() or None
                )
        except HTTPError as answer:
            text = answer.read()
            told = (
                json.loads(text).get("error", {})
                if "json" in answer.headers.get("content-type", "")
                else {}
            )
            error = RuntimeError(told.get("message", f"{path} answered {answer.code}"))
            error.code, error.status = told.get("code"), answer.code
            raise error from None


class Headers(dict):
    """Headers by name, whatever its case. Several values of one name are joined; `get_all` has
    each."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs = pairs
        for name, value in pairs:
            key = name.lower()
            dict.__setitem__(self, key, f"{self[key]}, {value}" if key in self else value)

    def __getitem__(self, name):
        return dict.__getitem__(self, name.lower())

    def __contains__(self, name):
        return dict.__contains__(self, name.lower())

    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)

    def get_all(self, name):
        return [value for key, value in self.pairs if key.lower() == name.lower()]


class Request:
    """What a handler of an HTTP function gets."""

    def __init__(self, raw, body):
        self._raw = raw
        self.method = raw["method"]
        self.url = raw["url"]
        self.params = raw.get("params") or {}
        self.body = body
        self._headers = None

    @property
    def headers(self):
        if self._headers is None:
            self._headers = Headers(self._raw["headers"])
        return self._headers

    @property
    def path(self):
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(self.url).path)

    @property
    def query(self):
        """The query's parameters, the last value of each; `query_all` has lists."""
        return {name: values[-1] for name, values in self.query_all.items()}

    @property
    def query_all(self):
        from urllib.parse import parse_qs, urlsplit

        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def form(self):
        """The fields of an URL-encoded form."""
        from urllib.parse import parse_qsl

        return dict(parse_qsl(self.text(), keep_blank_values=True))


# ---- What handlers give ----


class Response:
    """An answer to a request. `body` is a str, bytes, anything JSON can hold, or an (async)
    generator that is streamed."""

    def __init__(self, body=None, status=200, headers=None, content_type=None):
        self.body = body
        self.status = int(status)
        self.headers = list(headers.items() if hasattr(headers, "items") else headers or ())
        self.content_type = content_type
        if not 200 <= self.status <= 599:
            raise ValueError(f"a Response has a status from 200 to 599, not {status}")

    @classmethod
    def json(cls, data, status=200, headers=None):
        return cls(encode(data), status, headers, "application/json")

    @classmethod
    def redirect(cls, url, status=302):
        return cls(None, status, {"location": url})

    def head(self, default):
        pairs = [[str(name), str(value)] for name, value in self.headers]
        for name, value in pairs:
            if any(letter in "\r\n\0" for letter in name + value):
                raise ValueError(f"the header {name!r} has characters a header cannot have")
        kind = self.content_type or default
        if kind and not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(["content-type", kind])
        return encode({"status": self.status, "headers": pairs}).encode("utf-8", "replace")


def response_of(value):
    if isinstance(value, Response):
        return value
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and isinstance(value[1], int):
        return Response(*value)
    return Response(value, 204 if value is None else 200)


def is_stream(value):
    return hasattr(value, "__aiter__") or (
        hasattr(value, "__next__") and hasattr(value, "__iter__")
    )


def whole(body):
    """A body in bytes and its usual type."""
    if body is None:
        return b"", None
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), "application/octet-stream"
    return encode(body).encode("utf-8", "replace"), "application/json"


def piece(value):
    """A piece of a stream: text and bytes as they are, all else as a server-sent event."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return f"data: {encode(value)}\n\n".encode("utf-8", "replace")


def settle(call, value):
    """Ends a call with what its handler returned, unless that is a stream, which the caller
    sends."""
    if not call.http:
        if isinstance(value, Response):
            body, kind = whole(value.body)
            is_json = "json" in (value.content_type or kind or "")
            return call.end(
                RESULT, body if is_json else encode(body.decode("utf-8", "replace")).encode()
            )
        return call.end(RESULT, b"" if value is None else encode(value).encode("utf-8", "replace"))
    response = response_of(value)
    if is_stream(response.body):
        output.put(HEAD, call.id, response.head("text/event-stream"))
        return response.body
    body, kind = whole(response.body)
    head = response.head(kind)
    return call.end(RESPONSE, body, U32.pack(len(head)) + head)


def portions(call, data):
    """The parts of a piece that fit the window; yields `None` when it has to open first."""
    view = memoryview(data)
    while view and not call.done:
        window = call.window()
        if window <= 0:
            yield None
            continue
        size = min(len(view), window, CHUNK_MAX)
        call.sent += size
        yield view[:size]
        view = view[size:]


async def stream_async(call, source):
    async for value in source:
        for part in portions(call, piece(value)):
            if part is None:
                opened = output.loop.create_future()
                call.wake = lambda: opened.done() or opened.set_result(None)
                await opened
            else:
                output.put(CHUNK, call.id, part)
    call.end(END, b"")


def cancelled_error():
    import asyncio

    return asyncio.CancelledError()


def stream_in_thread(call, source):
    opened = threading.Event()
    call.wake = opened.set
    try:
        for value in source:
            for part in portions(call, piece(value)):
                if part is None:
                    opened.clear()
                    if call.window() <= 0 and call.reason is None:
                        opened.wait()
                else:
                    output.put(CHUNK, call.id, part)
                    output.flush()
                if call.reason is not None:
                    raise cancelled_error()
        call.end(END, b"")
    finally:
        if hasattr(source, "close"):
            source.close()


async def as_async(source):
    """A generator whose turns are taken on threads, for async handlers that return a plain one."""
    import asyncio

    done = object()
    while (value := await asyncio.to_thread(next, source, done)) is not done:
        yield value


async def answer_async(call, value):
    """Ends a call with a value that may have to be waited for, or streamed."""
    if hasattr(value, "__await__"):
        value = await value
    source = settle(call, value)
    if source is not None:
        await stream_async(call, source if hasattr(source, "__aiter__") else as_async(source))


async def serve_async(call, args):
    """Runs a call on the event loop."""
    current.set(call)
    try:
        await answer_async(call, handler(*args))
    except BaseException as error:
        call.fail(error)


async def go_on_async(call, work):
    """Goes on with a call that began on a thread."""
    current.set(call)
    try:
        await work
    except BaseException as error:
        call.fail(error)


def start_task(call, coroutine):
    call.task = new_task(coroutine)
    if call.reason is not None:
        call.task.cancel()


def serve_in_thread(call, args):
    """Runs a call on the thread it is called on; what turns out to be async goes on on the
    event loop."""
    current.set(call)
    try:
        if call.reason is not None:
            raise cancelled_error()
        value = handler(*args)
        if hasattr(value, "__await__"):
            work = answer_async(call, value)
        else:
            source = settle(call, value)
            if source is None:
                return
            if not hasattr(source, "__aiter__"):
                return stream_in_thread(call, source)
            work = stream_async(call, source)
        output.loop.call_soon_threadsafe(start_task, call, go_on_async(call, work))
    except BaseException as error:
        call.fail(error)


# ---- Threads ----


class Threads:
    """Runs calls on as few threads as do: one drains the queue; where it gets stuck in a
    handler, others are woken."""

    def __init__(self):
        self.jobs = deque()
        self.lock = threading.Lock()
        self.gate = threading.Semaphore(0)
        self.active = self.parked = self.count = 0
        self.taken = self.seen = 0
        self.watching = False

    def put(self, call, args):
        self.jobs.append((call, args))
        with self.lock:
            if self.active == 0:
                self.wake()
        if not self.watching:
            self.watching = True
            output.loop.call_later(WATCH, self.watch)

    def wake(self):
        if self.parked > 0:
            self.parked -= 1
            self.gate.release()
        elif self.count < THREADS_MAX:
            self.count += 1
            threading.Thread(target=self.work, name=f"evoke-{self.count}", daemon=True).start()
        else:
            return
        self.active += 1

    def watch(self):
        output.flush()
        with self.lock:
            if self.jobs and self.taken == self.seen:
                for _ in range(len(self.jobs)):
                    self.wake()
            self.seen = self.taken
        self.watching = bool(self.jobs or output.buffer)
        if self.watching:
            output.loop.call_later(WATCH, self.watch)

    def work(self):
        while True:
            try:
                call, args = self.jobs.popleft()
            except IndexError:
                output.flush()
                with self.lock:
                    if self.jobs:
                        continue
                    self.active -= 1
                    self.parked += 1
                self.gate.acquire()
                continue
            self.taken += 1
            contextvars.copy_context().run(serve_in_thread, call, args)
            if now() - output.flushed_at > GATHER:
                output.flush()


threads = Threads()


# ---- Loading ----

handler = None
arity = 2
runs_on_loop = False


class Refusal(Exception):
    """Why there is no handler, in one sentence."""


def load(message):
    global handler, arity, runs_on_loop
    about.update(message)
    try:
        os.environ.update(message.get("environment") or {})
        os.environ["EVOKE_URL"] = message["url"]
        os.environ["EVOKE_FUNCTION"] = message["function"]
        code = message["code"]
        os.chdir(code)
        # The pyc of a file that is saved twice in one second would be taken for that of both.
        sys.dont_write_bytecode = True
        sys.path[0:1] = [code, os.path.join(code, ".evoke", "python")]
        handler = find(code, message["handler"])
        arity, runs_on_loop = shape(handler)
        output.put(LOADED, 0, b"")
    except Refusal as error:
        output.put(LOAD_FAILED, 0, encode({"message": str(error)}).encode("utf-8", "replace"))
    except BaseException as error:
        told = describe(error)
        message = f"{told['type']}: {told['message']}"
        if isinstance(error, SystemExit):
            message = f"the code called sys.exit({error.code!r}) while it was loaded"
        output.put(
            LOAD_FAILED,
            0,
            encode({"message": message, "stack": told.get("stack")}).encode("utf-8", "replace"),
        )


def find(code, name):
    """The function that a handler like `src/main.handler` names."""
    import importlib
    import importlib.util

    file, _, wanted = name.rpartition(".")
    if not file:
        file, wanted = name, "handler"
    places = [file + ".py", file.replace(".", "/") + ".py", file.replace(".", "/") + "/__init__.py"]
    path = next((place for place in places if os.path.isfile(os.path.join(code, place))), None)
    if path is None:
        raise Refusal(f'the handler "{name}" needs a file {file}.py in {code}; there is none')
    module_name = file.replace("/", ".")
    if module_name in sys.modules or path == places[0] and "." in file:
        # A name that is taken by a module of the language, or is no name of a module.
        spec = importlib.util.spec_from_file_location(
            "function_" + module_name.replace(".", "_"), os.path.join(code, path)
        )
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(module_name)
    found = getattr(module, wanted, None)
    if callable(found):
        return found
    raise Refusal(refusal(module, wanted, path))


def refusal(module, wanted, path):
    import difflib

    if hasattr(module, wanted):
        return f'"{wanted}" of {path} is a {type(getattr(module, wanted)).__name__}, not a function'
    own = lambda value: getattr(value, "__module__", None) == module.__name__
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and own(value) and not name.startswith("_")
    ]
    if not names:
        return f'{path} defines no function; the handler needs it to define "{wanted}"'
    near = difflib.get_close_matches(wanted, names, 1)
    return f'"{wanted}" is not defined by {path}, which defines {", ".join(names)}' + (
        f'; did you mean "{near[0]}"?' if near else ""
    )


def shape(function):
    """How many arguments a handler takes, and whether it runs on the event loop."""
    import inspect

    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)
    on_loop = any(
        test(called) for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return 2, on_loop
    if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
        return 2, on_loop
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if len(needed) > 2 or any(parameter not in positional for parameter in needed):
        raise Refusal(
            f"the handler takes {len(needed)} arguments; "
            "it is called with (event, context) or (request, context)"
        )
    return min(2, len(positional)), on_loop


# ---- Main ----


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


class Input:
    """Takes frames apart."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.wanted = 0

    def readable(self):
        try:
            data = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(0)
        if self.buffer:
            self.buffer += data
            if len(self.buffer) < self.wanted:
                return
            data = bytes(self.buffer)
            self.buffer.clear()
        at, end = 0, len(data)
        while end - at >= 9:
            length, kind, call = FRAME.unpack_from(data, at)
            following = at + 4 + length
            if length > FRAME_MAX:
                fatal(f"a frame of {length} bytes is longer than allowed")
            if following > end:
                self.wanted = following - at
                break
            take(kind, call, data, at + 9, following)
            at = following
        else:
            self.wanted = 9
        if at < end:
            self.buffer += memoryview(data)[at:]


def take(kind, id, data, start, end):
    global closing
    if kind == EVENT:
        message = decode(str(data[start:end], "utf-8"))[0]
        value = message["events"] if "events" in message else message["event"]
        run(Call(id, message["context"], False), value)
    elif kind == REQUEST:
        body = start + 4 + U32.unpack_from(data, start)[0]
        message = decode(str(data[start + 4 : body], "utf-8"))[0]
        call = Call(id, message["context"], True)
        request = Request(message["request"], data[body:end])
        call.params = request.params
        run(call, request)
    elif kind == ACK:
        if (call := under_way.get(id)) is not None:
            call.acknowledged(U32.unpack_from(data, start)[0])
    elif kind == CANCEL:
        if (call := under_way.get(id)) is not None:
            call.cancel(json.loads(data[start:end]).get("reason"))
    elif kind == LOAD:
        load(json.loads(data[start:end]))
    elif kind == SHUTDOWN:
        closing = True
        if not under_way:
            leave()
    else:
        fatal(f"a frame of unknown kind {kind}")


def run(call, value):
    under_way[call.id] = call
    args = (value, Context(call))[:arity]
    if runs_on_loop:
        start_task(call, serve_async(call, args))
    else:
        threads.put(call, args)


def leave():
    import atexit

    atexit._run_exitfuncs()
    stray.end_log()
    output.drain()
    os._exit(0)


def fatal(message):
    stray.log(FAULT, f"evoke: {message}")
    output.drain()
    os._exit(1)


def install_module():
    module = types.ModuleType("evoke", "What a function can use of the server it runs in.")
    module.Request, module.Response, module.Context = Request, Response, Context
    module.context = lambda: None if current.get() is None else Context(current.get())
    sys.modules["evoke"] = module


def task_maker(loop):
    import asyncio

    if sys.version_info >= (3, 12):
        # A handler that does not wait is done without another turn of the loop.
        return lambda coroutine: asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task


def main():
    global output, new_task
    path = os.environ.pop("EVOKE_SOCKET", None)
    if path is None:
        sys.exit("EVOKE_SOCKET is not set: this file is started by evoke")
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    output = Output(sock)
    version = ".".join(map(str, sys.version_info[:3]))
    output.put(
        HELLO,
        0,
        encode(
            {"protocol": 1, "runtime": "python", "version": version, "pid": os.getpid()}
        ).encode(),
    )
    output.flush()

    # What follows takes longer than all of the above, and a blank worker has the time.
    import asyncio

    sock.setblocking(False)
    install_printing()
    install_module()
    os.environ.__class__ = Environment
    loop = output.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    new_task = task_maker(loop)
    loop.add_reader(sock.fileno(), Input(sock).readable)
    loop.run_forever()


if __name__ == "__main__":
    main()
