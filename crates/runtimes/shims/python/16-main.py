# The life of the process.


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
    install_library()
    os.environ.__class__ = Environment
    loop = output.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    new_task = task_maker(loop)
    loop.add_reader(sock.fileno(), Input(sock).readable)
    loop.run_forever()


if __name__ == "__main__":
    main()
