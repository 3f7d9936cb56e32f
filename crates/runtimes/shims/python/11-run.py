# From the handler to the call's last frame, on the event loop or on a thread.


def settle(call, value):
    """Ends a call with what its handler returned, unless that is a stream, which the caller
    sends."""
    if not call.http:
        if isinstance(value, Response):
            return respond(call, value)
        return call.end(RESULT, b"" if value is None else encode(value).encode("utf-8", "replace"))
    response = response_of(value)
    if is_stream(response.body):
        output.put(HEAD, call.id, response.head("text/event-stream"))
        return response.body
    return respond(call, response)


def respond(call, response):
    """Ends a call with a whole response."""
    body, kind = whole(response.body)
    head = response.head(kind)
    return call.end(RESPONSE, body, U32.pack(len(head)) + head)


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
