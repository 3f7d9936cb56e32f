"""The worker of Python functions, seen from the server's side, under the interpreter that runs the test:
`python3.12 -m unittest test_python`."""

import atexit
import functools
import http.server
import importlib.util
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

LOAD, EVENT, REQUEST, CANCEL, SHUTDOWN, ACK = range(0x01, 0x07)
HELLO, LOADED, LOAD_FAILED, RESULT, ERROR, HEAD, CHUNK, END, RESPONSE, LOG = range(0x81, 0x8B)
PARTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python")
PACKAGE = os.path.join(PARTS, *[os.pardir] * 4, "sdk", "python", "src", "evoke")
NO_CACHES = shutil.ignore_patterns("__pycache__")
WAIT = 20


@functools.cache
def joined():
    """The file of the worker, joined from its parts as the server does it."""
    home = tempfile.mkdtemp(prefix="evoke-shim-")
    atexit.register(shutil.rmtree, home)
    path = os.path.join(home, "python.py")
    # The server writes the package that functions may use beside it.
    shutil.copytree(PACKAGE, os.path.join(home, "python", "evoke"), ignore=NO_CACHES)
    with open(path, "w", encoding="utf-8") as file:
        for part in sorted(name for name in os.listdir(PARTS) if name.endswith(".py")):
            with open(os.path.join(PARTS, part), encoding="utf-8") as text:
                file.write(text.read())
    return path


class Seen:
    """What came of one call."""

    def __init__(self, id):
        self.id, self.logs, self.chunks, self.kind = id, [], [], None
        self.head = self.body = self.result = self.error = None
        self.ack = True

    @property
    def bytes(self):
        return sum(map(len, self.chunks))

    @property
    def lines(self):
        return [line for _, line in self.logs]


class Worker:
    """A worker process, and what it said."""

    def __init__(self, env=None):
        self.home = tempfile.mkdtemp(prefix="evoke-shim-")
        path = os.path.join(self.home, "s")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)
        server.settimeout(WAIT)
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, joined()],
            env={**os.environ, **(env or {}), "EVOKE_SOCKET": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.socket = server.accept()[0]
        server.close()
        self.calls, self.strays, self.loaded, self.hello = {}, [], None, None
        self.changed = threading.Condition()
        self.next = 1
        threading.Thread(target=self.read, daemon=True).start()
        self.until(lambda: self.hello)
        self.hello_ms = (time.perf_counter() - began) * 1000

    def until(self, true):
        with self.changed:
            assert self.changed.wait_for(true, WAIT), f"waited in vain; strays {self.strays}"
        return true()

    def read(self):
        stream = self.socket.makefile("rb")
        try:
            self.read_frames(stream)
        except ConnectionResetError:
            pass  # The worker ended with something unread.

    def read_frames(self, stream):
        while len(head := stream.read(9)) == 9:
            length, kind, id = struct.unpack("<IBI", head)
            payload = stream.read(length - 5)
            with self.changed:
                self.take(kind, id, payload)
                self.changed.notify_all()

    def take(self, kind, id, payload):
        if kind == HELLO:
            self.hello = json.loads(payload)
        elif kind == LOADED:
            self.loaded = {"ok": True}
        elif kind == LOAD_FAILED:
            self.loaded = {"ok": False, "stack": None, **json.loads(payload)}
        elif kind == LOG and id == 0:
            self.strays.append((payload[0], payload[1:].decode()))
        else:
            self.take_of_call(self.calls[id], kind, payload)

    def take_of_call(self, call, kind, payload):
        assert call.kind is None, f"a frame {kind:x} after the last one"
        if kind == LOG:
            call.logs.append((payload[0], payload[1:].decode()))
        elif kind == HEAD:
            call.head = json.loads(payload)
        elif kind == CHUNK:
            call.chunks.append(payload)
            if call.ack:
                self.send(ACK, call.id, struct.pack("<I", len(payload)))
        else:
            if kind == RESPONSE:
                length = struct.unpack_from("<I", payload)[0]
                call.head, call.body = json.loads(payload[4 : 4 + length]), payload[4 + length :]
            elif kind == RESULT:
                call.result = json.loads(payload) if payload else None
                call.empty = not payload
            elif kind == ERROR:
                call.error = json.loads(payload)
            elif kind == END:
                call.body = b"".join(call.chunks)
            call.kind = kind

    def send(self, kind, id, payload=b""):
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.socket.sendall(struct.pack("<IBI", len(payload) + 5, kind, id) + payload)

    def load(self, files, handler="main.handler", **more):
        files = {"main.py": files} if isinstance(files, str) else files
        self.code = os.path.join(self.home, "code")
        for name, text in files.items():
            path = os.path.join(self.code, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text))
        os.makedirs(self.code, exist_ok=True)
        message = {
            "function": "demo",
            "version": 3,
            "code": self.code,
            "handler": handler,
            "environment": {},
            "url": "http://127.0.0.1:1",
        }
        self.send(LOAD, 0, {**message, "timeoutMs": 30_000, "memoryBytes": 1 << 28, **more})
        return self.until(lambda: self.loaded)

    def context(self, more):
        base = {
            "executionId": "exe_1",
            "attempt": 1,
            "deadlineMs": round(time.time() * 1000) + 30_000,
            "token": "tok_1",
        }
        return {**base, "trigger": {"kind": "event", "name": "all"}, **more}

    def start(self, kind, payload):
        call = self.calls[self.next] = Seen(self.next)
        self.next += 1
        self.send(kind, call.id, payload)
        return call

    def event(self, data=None, **more):
        event = {"specversion": "1.0", "id": "e1", "type": "test", "source": "/t", "data": data}
        return self.start(EVENT, {"context": self.context(more), "event": event})

    def batch(self, all, **more):
        """A call with several events of these data."""
        event = {"specversion": "1.0", "type": "test", "source": "/t"}
        events = [{**event, "id": f"e{n}", "data": data} for n, data in enumerate(all)]
        context = self.context({"batch": {"size": len(events)}, **more})
        return self.start(EVENT, {"context": context, "events": events})

    def request(
        self, method="GET", url="http://x.test/", headers=(), params=None, body=b"", ack=True
    ):
        head = {
            "context": self.context({}),
            "request": {
                "method": method,
                "url": url,
                "headers": list(headers),
                "params": params or {},
            },
        }
        head = json.dumps(head).encode()
        call = self.start(REQUEST, struct.pack("<I", len(head)) + head + body)
        call.ack = ack
        return call

    def ended(self, call):
        self.until(lambda: call.kind)
        return call

    def exit_code(self):
        return self.process.wait(WAIT)

    def close(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.home)


BOTH = ("def", "async def")


class PythonShim(unittest.TestCase):
    maxDiff = None

    def worker(self, files=None, handler="main.handler", **more):
        worker = Worker()
        self.addCleanup(worker.close)
        if files is not None:
            self.assertEqual(worker.load(files, handler, **more), {"ok": True})
        return worker

    def test_says_hello(self):
        hello = self.worker().hello
        self.assertEqual((hello["protocol"], hello["runtime"]), (1, "python"))
        self.assertEqual(hello["version"], ".".join(map(str, sys.version_info[:3])))

    def test_answers_events_with_what_the_handler_returns(self):
        values = {
            "none": None,
            "text": "ä€😀",
            "list": [1, {"a": True}],
            "number": 1.5,
            "date": "2026-01-02",
            "set": [1],
            "data": {"x": 1},
        }
        for define in BOTH:
            worker = self.worker(f"""
                import dataclasses, datetime, uuid
                @dataclasses.dataclass
                class D: x: int
                values = {{"none": None, "text": "ä€😀", "list": [1, {{"a": True}}], "number": 1.5, "date": datetime.date(2026, 1, 2), "set": {{1}}, "data": D(1)}}
                {define} handler(event, context):
                    return values[event["data"]]
                """)
            for key, wanted in values.items():
                call = worker.ended(worker.event(key))
                self.assertEqual((call.kind, call.result), (RESULT, wanted), call.error)
                self.assertEqual(call.empty, key == "none")

    def test_takes_arguments_as_declared(self):
        cases = [
            "def handler(): return 1",
            "def handler(event): return 1",
            "def handler(event, context): return 1",
            "def handler(*args): return len(args) - 1",
            "def handler(event, context=None, *, other=1): return int(context is not None)",
            "handler = lambda event: 1",
            "async def handler(event): return 1",
            "class H:\n    async def __call__(self, event): return 1\nhandler = H()",
            "class H:\n    def go(self, event): return 1\nhandler = H().go",
            "async def inner(): return 1\ndef handler(event): return inner()",
            "import functools\ndef f(x, event): return x\nhandler = functools.partial(f, 1)",
        ]
        for code in cases:
            worker = self.worker(code)
            self.assertEqual(worker.ended(worker.event()).result, 1, code)
        refused = self.worker().load("def handler(a, b, c): pass")
        self.assertIn("takes 3 arguments", refused["message"])

    def test_takes_frames_however_they_are_cut(self):
        worker = self.worker("async def handler(event): return event['data']")
        big = "x€" * 400_000
        pieces = []
        send, worker.send = worker.send, lambda kind, id, payload: pieces.append(
            (kind, id, json.dumps(payload).encode())
        )
        calls = [worker.event(data) for data in (1, big, "three", big)]
        worker.send = send
        whole = b"".join(struct.pack("<IBI", len(p) + 5, kind, id) + p for kind, id, p in pieces)
        for at in range(0, 300, 7):
            worker.socket.sendall(whole[at : min(at + 7, 300)])
            time.sleep(0.0005)
        worker.socket.sendall(whole[300:])
        self.assertEqual([worker.ended(call).result for call in calls], [1, big, "three", big])

    def test_gives_a_context(self):
        for define in BOTH:
            worker = self.worker(
                f"""
                import os, evoke
                {define} handler(event, context):
                    return {{"ids": [context.request_id, context.executionId, context.attempt, context.traceparent, context.token], "trigger": context.trigger.kind,
                        "function": [context.function.name, context.function["version"]], "deadline": context.deadline.isoformat(), "left": context.remaining_ms(),
                        "cancelled": context.cancelled, "same": evoke.context().execution_id, "cwd": os.getcwd(),
                        "env": [os.environ.get(n) for n in ("EVOKE_URL", "EVOKE_FUNCTION", "EVOKE_TOKEN", "EVOKE_EXECUTION_ID", "MINE", "EVOKE_SOCKET")], "in": "EVOKE_TOKEN" in dict(os.environ)}}
                """,
                environment={"MINE": "yes"},
                url="http://127.0.0.1:8090",
            )
            call = worker.ended(
                worker.event(
                    requestId="req_1",
                    attempt=2,
                    traceparent="00-a-b-01",
                    deadlineMs=round(time.time() * 1000) + 5000,
                )
            )
            self.assertIsNone(call.error)
            told = call.result
            self.assertEqual(told["ids"], ["req_1", "exe_1", 2, "00-a-b-01", "tok_1"])
            self.assertEqual(
                (told["trigger"], told["function"], told["cancelled"], told["same"]),
                ("event", ["demo", 3], False, "exe_1"),
            )
            self.assertTrue(3000 < told["left"] <= 5000)
            self.assertTrue(told["deadline"].endswith("+00:00"))
            self.assertEqual(told["cwd"], os.path.realpath(worker.code))
            self.assertEqual(
                told["env"], ["http://127.0.0.1:8090", "demo", "tok_1", "exe_1", "yes", None]
            )
            self.assertTrue(told["in"])

    def test_hands_over_several_events_at_once(self):
        for define in BOTH:
            worker = self.worker(f"""
                {define} handler(events, context):
                    if len(events) > 9: return [len(events), context.batch, events[-1]["data"]]
                    return {{"failed": [{{"id": e["id"]}} for e in events if e["data"] < 0], "size": context.batch.size}}
                """)
            some = worker.ended(worker.batch([1, -2, 3]))
            self.assertEqual(some.result, {"failed": [{"id": "e1"}], "size": 3})
            none = worker.ended(worker.batch([]))
            self.assertEqual(none.result, {"failed": [], "size": 0})
            many = [f"{n} ".ljust(1_000, "€") for n in range(10_000)]
            call = worker.ended(worker.batch(many))
            self.assertEqual(call.result, [10_000, {"size": 10_000}, many[-1]])

    def test_marks_replays_and_test_runs(self):
        for define in BOTH:
            worker = self.worker(f"""
                {define} handler(event, context):
                    return [context.is_replay, context.isReplay, context.is_test_run, context.batch]
                """)
            call = worker.ended(worker.event())
            self.assertEqual(call.result, [False, False, False, None])
            call = worker.ended(worker.event(isReplay=True, isTestRun=True))
            self.assertEqual(call.result, [True, True, True, None])

    def test_tells_what_a_handler_raised(self):
        for define in BOTH:
            worker = self.worker(f"""
                import sys
                class Broken(Exception):
                    pass
                class Never(Exception):
                    retry = False
                class Later(Exception):
                    retry_after = 1.5
                class Hostile(Exception):
                    def __str__(self): raise ValueError
                def circular():
                    a = []; a.append(a); return a
                def cause():
                    try: int("x")
                    except ValueError as error: raise Broken("outer") from error
                def throw(error): raise error
                def deep(): return deep()
                raising = dict(error=lambda: throw(Broken("no luck")), cause=cause, exit=lambda: sys.exit(3), interrupt=lambda: throw(KeyboardInterrupt()), never=lambda: throw(Never("n")),
                    later=lambda: throw(Later("l")), hostile=lambda: throw(Hostile()), circular=circular, object=lambda: object(), nan=lambda: float("nan"), bytes=lambda: b"x",
                    function=lambda: throw, key=lambda: {{(1, 2): 3}}, deep=deep, stop=lambda: throw(StopIteration()), generator=lambda: (x for x in [1]))
                {define} handler(event, context):
                    return raising[event["data"]]()
                """)
            errors = {}
            for key in (
                "error",
                "cause",
                "exit",
                "interrupt",
                "never",
                "later",
                "hostile",
                "circular",
                "object",
                "nan",
                "bytes",
                "function",
                "key",
                "deep",
                "stop",
                "generator",
            ):
                call = worker.ended(worker.event(key))
                self.assertEqual(call.kind, ERROR, key)
                errors[key] = call.error
            self.assertEqual(
                (errors["error"]["message"], errors["error"]["type"]), ("no luck", "Broken")
            )
            self.assertIn("main.py", errors["error"]["stack"])
            self.assertIn("in throw", errors["error"]["stack"])
            self.assertNotIn("python.py", errors["error"]["stack"])
            self.assertIn("invalid literal", errors["cause"]["stack"])
            self.assertIn("sys.exit(3)", errors["exit"]["message"])
            self.assertIs(errors["never"]["retry"], False)
            self.assertEqual(errors["later"]["retryAfterMs"], 1500)
            self.assertEqual(errors["deep"]["type"], "RecursionError")
            self.assertIn("type object cannot be sent", errors["object"]["message"])
            self.assertIn("type generator cannot be sent", errors["generator"]["message"])
            self.assertEqual(worker.ended(worker.event("key")).kind, ERROR)

    def test_attributes_what_is_printed(self):
        for define, pause in (
            ("def", "time.sleep(0.02)"),
            ("async def", "await asyncio.sleep(0.02)"),
        ):
            worker = self.worker(f"""
                import asyncio, logging, sys, time, warnings
                print("while loading")
                logger = logging.getLogger("mine")
                {define} handler(event, context):
                    n = event["data"]
                    print("n is", n, end="")
                    {pause}
                    print("!")
                    print("two\\nlines", file=sys.stderr)
                    logger.debug("d %d", n); logging.info("i"); logger.warning("w"); logger.error("e"); logger.critical("c")
                    context.log.info("own")
                    try: 1 / 0
                    except ZeroDivisionError: logger.exception("caught")
                    warnings.warn(f"careful {{n}}")
                    sys.stdout.buffer.write(b"raw\\n")
                    print("rest", end="")
                """)
            self.assertEqual(worker.strays, [(1, "while loading")])
            for n, call in enumerate([worker.event(n) for n in range(3)]):
                logs = worker.ended(call).logs
                self.assertIsNone(call.error)
                wanted = [
                    (1, f"n is {n}!"),
                    (3, "two"),
                    (3, "lines"),
                    (0, f"d {n}"),
                    (1, "i"),
                    (2, "w"),
                    (3, "e"),
                    (3, "c"),
                    (1, "own"),
                ]
                self.assertEqual(logs[:9], wanted)
                self.assertEqual(
                    (logs[9][0], logs[9][1].startswith("caught\nTraceback")), (3, True)
                )
                self.assertIn(f"careful {n}", logs[10][1])
                self.assertEqual(logs[11:], [(1, "raw"), (1, "rest")])

    def test_bounds_what_is_printed(self):
        for define in BOTH:
            worker = self.worker(f"""
                import resource, sys
                {define} handler(event):
                    kind = event["data"]
                    if kind == "long": print("x" * 100_000)
                    if kind == "lines":
                        for _ in range(300_000): print("y" * 300)
                    if kind == "once": sys.stdout.write(("z" * 1000 + "\\n") * 100_000)
                    if kind == "open":
                        for _ in range(1000): sys.stdout.write("z" * 100_000)
                    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
                """)
            long = worker.ended(worker.event("long"))
            self.assertTrue(long.lines == ["x" * 65536 + " … [cut after 65536 characters]"])
            for kind in ("lines", "open", "once"):
                call = worker.ended(worker.event(kind))
                self.assertIsNone(call.error)
                self.assertLess(sum(map(len, call.lines)), 1.2 * (1 << 20))
                if kind == "lines":
                    self.assertEqual(call.logs[-1][0], 2)
                    self.assertIn("more log messages were dropped", call.lines[-1])
                self.assertLess(call.result, 500)

    def test_sends_lines_before_the_handler_blocks(self):
        for define in BOTH:
            worker = self.worker(
                f"import time\n{define} handler(event):\n    print('before')\n    time.sleep(100)"
            )
            call = worker.event()
            worker.until(lambda: call.lines == ["before"])
            worker.process.send_signal(signal.SIGKILL)

    def test_slow_calls_do_not_delay_others(self):
        worker = self.worker(
            "import time\ndef handler(event):\n    time.sleep(event['data'])\n    return 1"
        )
        slow = [worker.event(60) for _ in range(20)]
        quick = [worker.event(0.05) for _ in range(100)]
        began = time.perf_counter()
        for call in quick:
            worker.ended(call)
        self.assertLess(time.perf_counter() - began, 3)
        self.assertTrue(all(call.kind is None for call in slow))

    def test_contexts_do_not_leak_between_calls(self):
        for define in BOTH:
            worker = self.worker(
                f"import contextvars\nv = contextvars.ContextVar('v', default=0)\n{define} handler(event):\n    v.set(v.get() + 1)\n    return v.get()"
            )
            self.assertEqual([worker.ended(worker.event()).result for _ in range(3)], [1, 1, 1])

    def test_gives_requests(self):
        for define in BOTH:
            worker = self.worker(f"""
                import evoke
                {define} handler(request, context):
                    assert isinstance(request, evoke.Request)
                    return {{"method": request.method, "url": request.url, "path": request.path, "query": request.query, "all": request.query_all, "accept": request.headers["ACCEPT"],
                        "in": "accept" in request.headers, "no": request.headers.get("no", "-"), "cookies": request.headers.get_all("Cookie"), "params": request.params, "same": context.params,
                        "text": request.text(), "body": len(request.body), "json": request.json() if request.headers.get("content-type") == "application/json" else request.form()}}
                """)
            json_type = ("Content-Type", "application/json")
            call = worker.ended(
                worker.request(
                    "POST",
                    "http://x.test/a%20b/7?q=1&q=%C3%A4&e=",
                    [("Accept", "a/b"), ("cookie", "a=1"), ("Cookie", "b=2"), json_type],
                    {"id": "7"},
                    '{"ä":1}'.encode(),
                )
            )
            self.assertIsNone(call.error)
            self.assertEqual(
                json.loads(call.body),
                {
                    "method": "POST",
                    "url": "http://x.test/a%20b/7?q=1&q=%C3%A4&e=",
                    "path": "/a b/7",
                    "query": {"q": "ä", "e": ""},
                    "all": {"q": ["1", "ä"], "e": [""]},
                    "accept": "a/b",
                    "in": True,
                    "no": "-",
                    "cookies": ["a=1", "b=2"],
                    "params": {"id": "7"},
                    "same": {"id": "7"},
                    "text": '{"ä":1}',
                    "body": 8,
                    "json": {"ä": 1},
                },
            )
            form = worker.ended(
                worker.request("POST", headers=[("accept", "x")], body=b"a=1&b=%20")
            )
            self.assertEqual(json.loads(form.body)["json"], {"a": "1", "b": " "})
            broken = worker.ended(
                worker.request("POST", headers=[("accept", "x"), json_type], body=b"{")
            )
            self.assertEqual(broken.error["type"], "JSONDecodeError")

    def test_answers_requests(self):
        for define in BOTH:
            worker = self.worker(f"""
                from evoke import Response
                answers = dict(text=lambda: "hällo", none=lambda: None, object=lambda: {{"a": 1}}, list=lambda: [1], bytes=lambda: b"\\x01\\xff", number=lambda: 7,
                    pair=lambda: ("made", 201), triple=lambda: ({{"b": 2}}, 202, {{"X-One": "1"}}), response=lambda: Response("<p>", 203, {{"content-type": "text/html"}}),
                    cookies=lambda: Response("c", headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")]), json=lambda: Response.json([1], status=400), redirect=lambda: Response.redirect("/y"),
                    empty=lambda: Response(status=204), kind=lambda: Response(b"x", content_type="image/png"),
                    status=lambda: Response("", 99), header=lambda: Response("", headers={{"x": "a\\nb"}}), tuple=lambda: (1, "b"), bad=lambda: object())
                {define} handler(request):
                    return answers[request.path[1:]]()
                """)

            def get(key):
                call = worker.ended(worker.request(url=f"http://x.test/{key}"))
                return (
                    call.error["message"]
                    if call.error
                    else (
                        call.head["status"],
                        call.body,
                        *(f"{n}={v}" for n, v in call.head["headers"]),
                    )
                )

            text, js = "content-type=text/plain; charset=utf-8", "content-type=application/json"
            table = dict(
                text=(200, "hällo".encode(), text),
                none=(204, b""),
                object=(200, b'{"a":1}', js),
                list=(200, b"[1]", js),
                bytes=(200, b"\x01\xff", "content-type=application/octet-stream"),
                number=(200, b"7", js),
                pair=(201, b"made", text),
                triple=(202, b'{"b":2}', "X-One=1", js),
                response=(203, b"<p>", "content-type=text/html"),
                cookies=(200, b"c", "set-cookie=a=1", "set-cookie=b=2", text),
                json=(400, b"[1]", js),
                redirect=(302, b"", "location=/y"),
                empty=(204, b""),
                kind=(200, b"x", "content-type=image/png"),
                tuple=(200, b'[1,"b"]', js),
            )
            for key, wanted in table.items():
                self.assertEqual(get(key), wanted, key)
            self.assertIn("from 200 to 599", get("status"))
            self.assertIn("'x' has characters", get("header"))
            self.assertIn("type object cannot be sent", get("bad"))

    def test_answers_an_event_whose_handler_returns_a_response(self):
        worker = self.worker(
            "from evoke import Response\ndef handler(event): return Response.json({'a': 1}, status=201) if event['data'] else Response('text')"
        )
        made = worker.ended(worker.event(1))
        self.assertEqual((made.head["status"], bytes(made.body)), (201, b'{"a":1}'))
        self.assertEqual(bytes(worker.ended(worker.event(0)).body), b"text")

    def test_streams(self):
        for define, source in (
            ("def", "def"),
            ("async def", "async def"),
            ("def", "async def"),
            ("async def", "def"),
        ):
            worker = self.worker(f"""
                from evoke import Response
                {source} pieces():
                    yield "a"
                    yield b"b"
                    yield {{"c": 1}}
                {source} breaks():
                    yield "one"
                    raise ValueError("broke")
                {source} big():
                    for n in range(6): yield bytes([n]) * 700_000
                kinds = dict(plain=lambda: pieces(), response=lambda: Response(pieces(), 202, {{"content-type": "x/y"}}), breaks=lambda: breaks(), big=lambda: big())
                {define} handler(request):
                    return kinds[request.path[1:]]()
                """)
            plain = worker.ended(worker.request(url="http://x.test/plain"))
            self.assertEqual(
                (plain.kind, plain.body, plain.head["headers"]),
                (END, b'abdata: {"c":1}\n\n', [["content-type", "text/event-stream"]]),
                plain.error,
            )
            response = worker.ended(worker.request(url="http://x.test/response"))
            self.assertEqual(
                (response.head["status"], response.head["headers"]),
                (202, [["content-type", "x/y"]]),
            )
            breaks = worker.ended(worker.request(url="http://x.test/breaks"))
            self.assertEqual(
                (breaks.kind, breaks.chunks, breaks.error["message"]), (ERROR, [b"one"], "broke")
            )
            big = worker.request(url="http://x.test/big", ack=False)
            worker.until(lambda: big.bytes >= 1 << 20)
            time.sleep(0.05)
            self.assertEqual(big.bytes, 1 << 20)
            big.ack = True
            worker.send(ACK, big.id, struct.pack("<I", 1 << 20))
            self.assertEqual(len(worker.ended(big).body), 6 * 700_000)

    def test_a_handler_may_be_a_generator(self):
        for define in BOTH:
            worker = self.worker(f"{define} handler(request):\n    yield 'x'\n    yield 'y'")
            self.assertEqual(worker.ended(worker.request()).body, b"xy")

    def test_is_told_when_nobody_wants_the_answer(self):
        worker = self.worker("""
            import asyncio
            closed = 0
            async def handler(value, context):
                global closed
                path = value["data"] if isinstance(value, dict) else value.path[1:]
                if path == "closed": return closed
                if path == "stream":
                    async def pieces():
                        global closed
                        try:
                            while True:
                                yield "x"
                                await asyncio.sleep(0.005)
                        finally: closed += 1
                    return pieces()
                try: await asyncio.sleep(100)
                except asyncio.CancelledError:
                    if path == "kind": return ["ended", context.cancelled]
                    raise
            """)

        def cancel(call, reason):
            time.sleep(0.03)
            worker.send(CANCEL, call.id, {"reason": reason})
            return worker.ended(call)

        self.assertEqual(
            cancel(worker.event("wait"), "timeout").error["message"], "the function ran out of time"
        )
        self.assertEqual(cancel(worker.event("kind"), "cancelled").result, ["ended", True])
        self.assertEqual(
            cancel(worker.request(url="http://x.test/stream"), "client_gone").error["type"],
            "CancelledError",
        )
        time.sleep(0.05)
        self.assertEqual(worker.ended(worker.event("closed")).result, 1)
        worker.send(CANCEL, 1, {"reason": "cancelled"})
        self.assertEqual(worker.ended(worker.event("closed")).result, 1)

        threaded = self.worker("""
            import time
            closed = 0
            def handler(value, context):
                global closed
                if isinstance(value, dict):
                    while not context.cancelled: time.sleep(0.005)
                    return closed
                def pieces():
                    global closed
                    try:
                        while True: yield b"x" * 300_000
                    finally: closed += 1
                return pieces()
            """)
        stream = threaded.request(ack=False)
        threaded.until(lambda: stream.bytes >= 1 << 20)
        threaded.send(CANCEL, stream.id, {"reason": "client_gone"})
        self.assertEqual(threaded.ended(stream).error["message"], "the client is gone")
        call = threaded.event()
        time.sleep(0.03)
        threaded.send(CANCEL, call.id, {"reason": "timeout"})
        self.assertEqual(threaded.ended(call).result, 1)

    def test_finds_the_handler(self):
        cases = [
            ({"main.py": "def handler(e): return 1"}, "main.handler"),
            ({"src/app.py": "def run(e): return 1"}, "src/app.run"),
            (
                {
                    "src/__init__.py": "",
                    "src/app.py": "from .other import run",
                    "src/other.py": "def run(e): return 1",
                },
                "src/app.run",
            ),
            ({"pkg/mod.py": "def run(e): return 1"}, "pkg.mod.run"),
            ({"json.py": "def handler(e): return 1"}, "json.handler"),
            ({"my-app.v1.py": "def handler(e): return 1"}, "my-app.v1.handler"),
            (
                {
                    "main.py": "import helper, installed\ndef handler(e): return helper.one",
                    "helper.py": "one = 1",
                    ".evoke/python/installed.py": "",
                },
                "main.handler",
            ),
        ]
        for files, handler in cases:
            worker = self.worker(files, handler)
            self.assertEqual(worker.ended(worker.event()).result, 1, handler)
            self.assertFalse(os.path.exists(os.path.join(worker.code, "__pycache__")))

    def test_says_why_a_handler_cannot_be_loaded(self):
        def refused(files, handler="main.handler"):
            told = self.worker().load(files, handler)
            self.assertFalse(told["ok"])
            return told

        self.assertIn(
            '"handler" is not defined by main.py, which defines hanlder, x; did you mean "hanlder"?',
            refused("def hanlder(): pass\ndef x(): pass")["message"],
        )
        self.assertIn("defines no function", refused("import json")["message"])
        self.assertIn("is a int, not a function", refused("handler = 5")["message"])
        self.assertIn("there is none", refused({"other.py": ""})["message"])
        thrown = refused("\nraise TypeError('at import')")
        self.assertEqual(thrown["message"], "TypeError: at import")
        self.assertIn('main.py", line 2', thrown["stack"])
        self.assertNotIn("importlib", thrown["stack"])
        self.assertIn("def x(:", refused("def x(:\n  pass")["stack"])
        self.assertIn("not_a_package", refused("import not_a_package")["message"])
        self.assertIn("sys.exit(2)", refused("import sys; sys.exit(2)")["message"])

    def test_has_a_client_of_its_server(self):
        seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                seen.append(
                    (
                        self.path,
                        self.headers["authorization"],
                        self.headers["prefer"],
                        self.headers["traceparent"],
                        body,
                    )
                )
                missing = "missing" in self.path
                answer = (
                    b'{"error":{"code":"FN_001","message":"no such function"}}'
                    if missing
                    else b'{"id":"evt_1"}'
                )
                self.send_response(404 if missing else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        worker = self.worker(
            """
            async def handler(event, context):
                one = context.evoke.events.publish("a.b", {"x": 1}, subject="s")
                two = await context.evoke.functions.invoke_async("other", 2, wait=False)
                try: context.evoke.functions.invoke("missing", 3)
                except RuntimeError as error: return [one, two, str(error), error.code, error.status]
            """,
            url=f"http://127.0.0.1:{server.server_port}",
        )
        call = worker.ended(worker.event(traceparent="00-1-2-01"))
        self.assertEqual(
            call.result,
            [{"id": "evt_1"}, {"id": "evt_1"}, "no such function", "FN_001", 404],
            call.error,
        )
        self.assertEqual(
            seen[0],
            (
                "/api/events",
                "Bearer tok_1",
                None,
                "00-1-2-01",
                {"subject": "s", "type": "a.b", "data": {"x": 1}},
            ),
        )
        self.assertEqual(
            seen[1][:4],
            ("/api/functions/other/invoke", "Bearer tok_1", "respond-async", "00-1-2-01"),
        )

    def test_has_the_package_with_the_token_of_each_call(self):
        code = """
        import os, threading
        from evoke import context as now, Request, Response
        from evoke.settings import ambient
        at_once = threading.Barrier(8, timeout=20)
        def handler(event, context):
            at_once.wait()
            who = ambient()
            return [who.token, who.traceparent, who.request_id, now().execution_id]
        """
        worker = self.worker(code, url="http://127.0.0.1:9")
        calls = [
            worker.event(token=f"t{n}", traceparent=f"p{n}", requestId=f"r{n}", executionId=f"e{n}")
            for n in range(8)
        ]
        for n, call in enumerate(calls):
            expected = [f"t{n}", f"p{n}", f"r{n}", f"e{n}"]
            self.assertEqual(worker.ended(call).result, expected, call.error)

    def test_a_package_of_the_functions_own_goes_before(self):
        files = {".evoke/python/evoke/__init__.py": "own = True"}
        code = """
        import evoke
        def handler(event, context):
            return [evoke.own, type(context.evoke).__module__]
        """
        worker = self.worker({**files, "main.py": code})
        self.assertEqual(
            worker.ended(worker.event()).result, [True, "_evoke_package._sync.client"]
        )

    def test_what_is_compiled_already_is_not_compiled_again(self):
        import py_compile

        folder = tempfile.mkdtemp(prefix="evoke-shim-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "dep.py")
        # The source says something else than what was compiled of it, which only shows when it is
        # read.
        for text in ("name = 'compiled'", "name = 'source!!'"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.utime(path, (1e9, 1e9))
            if text.endswith("compiled'"):
                py_compile.compile(path, importlib.util.cache_from_source(path))
        worker = self.worker(
            f"import sys\nsys.path.insert(0, {folder!r})\nimport dep\n"
            "def handler(event): return dep.name"
        )
        self.assertEqual(worker.ended(worker.event()).result, "compiled")

    def test_refuses_an_answer_that_fits_no_frame(self):
        worker = self.worker("def handler(value): return 'x' * (65 << 20)")
        self.assertIn("64 MiB", worker.ended(worker.event()).error["message"])
        self.assertIn("64 MiB", worker.ended(worker.request()).error["message"])

    def test_an_error_in_a_thread_of_the_function_is_logged(self):
        worker = self.worker(
            "import threading\ndef fall(): raise ValueError('fell')\ndef handler(event):\n    t = threading.Thread(target=fall); t.start(); t.join()\n    return 1"
        )
        self.assertEqual(worker.ended(worker.event()).result, 1)
        worker.until(lambda: worker.strays)
        self.assertRegex(worker.strays[0][1], "Uncaught exception in a thread: (.|\n)*fell")

    def test_finishes_what_is_under_way_then_leaves(self):
        for define, pause in (
            ("def", "time.sleep(0.05)"),
            ("async def", "await asyncio.sleep(0.05)"),
        ):
            worker = self.worker(
                f"import asyncio, atexit, time\natexit.register(print, 'left')\n{define} handler(event):\n    {pause}\n    return 'done'"
            )
            call = worker.event()
            worker.send(SHUTDOWN, 0)
            self.assertEqual(worker.ended(call).result, "done")
            self.assertEqual(worker.exit_code(), 0)
            worker.until(lambda: worker.strays == [(1, "left")])
        blank = self.worker()
        blank.send(SHUTDOWN, 0)
        self.assertEqual(blank.exit_code(), 0)

    def test_leaves_when_the_server_is_gone(self):
        worker = self.worker("import time\ndef handler(event): time.sleep(100)")
        worker.event()
        worker.socket.shutdown(socket.SHUT_RDWR)
        self.assertEqual(worker.exit_code(), 0)

    def test_refuses_a_frame_of_an_unknown_kind(self):
        worker = self.worker()
        worker.send(0x55, 0)
        self.assertEqual(worker.exit_code(), 1)
        worker.until(lambda: worker.strays)
        self.assertIn("unknown kind 85", worker.strays[0][1])


if __name__ == "__main__":
    unittest.main()
