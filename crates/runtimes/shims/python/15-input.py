# What comes from the server: frames are cut out of what the socket gave.


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
