# Answers in pieces, no faster than the server takes them.


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
