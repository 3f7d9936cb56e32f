# Threads for handlers that are no coroutines.


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
