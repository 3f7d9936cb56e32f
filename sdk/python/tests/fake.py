"""A server that says what a test tells it to, and remembers what it was asked."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Asked:
    """A request as it came."""

    def __init__(self, handler, body):
        parts = urlsplit(handler.path)
        self.method = handler.command
        self.target = handler.path
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self.connection = handler.client_address

    def json(self):
        return json.loads(self.body)


class Fake:
    """Answers with what `answer(asked)` returns: a value, or `(status, value, headers)`."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one(self):
                fake._serve(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def _serve(self, handler):
        asked = Asked(handler, _body(handler))
        self.asked.append(asked)
        answer = self.answer(asked)
        status, value, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        if callable(value):
            return value(handler)
        body = b"" if value is None else value
        kind = "application/octet-stream"
        if not isinstance(body, bytes):
            body, kind = json.dumps(value).encode(), "application/json"
        handler.send_response(status)
        given = {name.lower() for name in headers}
        if "content-type" not in given and body:
            handler.send_header("content-type", kind)
        if "content-length" not in given and status != 204:
            handler.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)
        return None


def _body(handler):
    if handler.headers.get("transfer-encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    pieces = []
    while size := int(handler.rfile.readline(), 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(pieces)


class Raw:
    """A server of which each connection gets bytes, whatever it asks: a list of connections, each a
    list of answers. It waits for the request before each."""

    def __init__(self, *connections):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.heard = []
        self.opened = 0
        threading.Thread(target=self._run, args=(connections,), daemon=True).start()

    def _run(self, connections):
        for answers in connections:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                # Nobody came before the test was over.
                return
            self.opened += 1
            for answer in answers:
                heard = b""
                while b"\r\n\r\n" not in heard and (data := connection.recv(65536)):
                    heard += data
                self.heard.append(heard)
                connection.sendall(answer)
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
