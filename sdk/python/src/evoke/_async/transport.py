"""One request after the other, each until there is an answer or no hope of one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from ..errors import BAD_ANSWER, TIMED_OUT, UNREACHABLE, EvokeError, code_of, retry_after
from ..retries import CODED, IDEMPOTENT, NEVER_AGAIN, NOT_BEGUN, PASSING, Retries
from ..wire import HEAD_BYTES_MAX, Broken, Decoder, Head, address_of, head_of, request_head
from . import net

if TYPE_CHECKING:
    import ssl

# Answers that are read whole; what is larger is streamed.
WHOLE_BYTES_MAX = 256 << 20
CONDITIONS = frozenset(("if-match", "if-none-match"))
# Names the execution an answer is of.
RAN = "x-evoke-execution-id"


class Outgoing:
    """A request. `body` is bytes, or a file or iterator, which can be sent only once."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: Any = None,
        *,
        length: int | None = None,
        timeout: float | None = 30.0,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        # The length of a body that is not bytes, where it is known.
        self.length = length
        self.timeout = timeout
        # Whether a second one does no harm; `None` where method and headers tell that.
        self.repeatable: bool | None = None
        # Whether an Evoke server is asked, whose refusals say whether it has begun.
        self.is_for_evoke = True
        # By the clock of the world: nothing is tried again after this.
        self.deadline: float | None = None

    def is_repeatable(self) -> bool:
        """Whether a second one does no harm."""
        if self.repeatable is not None:
            return self.repeatable
        names = {name.lower() for name in self.headers}
        if "idempotency-key" in names:
            return True
        # A change with a condition may have been made: then the condition holds no more.
        has_condition = self.method != "GET" and not CONDITIONS.isdisjoint(names)
        return self.method in IDEMPOTENT and not has_condition

    def has_whole_body(self) -> bool:
        """Whether it can be sent a second time at all."""
        return self.body is None or isinstance(self.body, bytes)


class _NotSent(Exception):
    """Nothing has reached the server."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Answer:
    """An answer, of which the body is still to be read."""

    def __init__(self, transport: Transport, outgoing: Outgoing, connection: Any) -> None:
        self._transport = transport
        self._outgoing = outgoing
        self._connection = connection
        self._rest = b""
        # The body, where it was read before it was asked for.
        self._kept = b""
        self._head: Head
        self._decoder: Decoder

    @property
    def status(self) -> int:
        """The status."""
        return self._head.status

    @property
    def headers(self) -> Any:
        """The headers, by name whatever its case."""
        return self._head.headers

    async def _begin(self) -> None:
        """Reads up to the body."""
        while True:
            while b"\r\n\r\n" not in self._rest:
                data = await self._connection.receive(self._outgoing.timeout)
                self._rest += data
                if not data:
                    raise Broken("the connection ended before the answer")
                if len(self._rest) > HEAD_BYTES_MAX:
                    raise Broken("the headers of the answer have no end")
            text, _, self._rest = self._rest.partition(b"\r\n\r\n")
            self._head = head_of(text)
            if not self._head.is_interim():
                break
        self._decoder = Decoder(self._outgoing.method, self._head)
        if self._decoder.is_done:
            self._decoder.feed(self._rest)
            self._release()

    async def code(self) -> str | None:
        """What an Evoke server calls the refusal this is. The body can be read after it, too."""
        try:
            self._kept = await self.read()
        except EvokeError:
            return None
        return code_of(self._kept)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        kept, self._kept = self._kept, b""
        if kept:
            yield kept
        try:
            while self._connection is not None:
                data, self._rest = self._rest, b""
                if not data:
                    data = await self._connection.receive(self._outgoing.timeout)
                    if not data:
                        self._decoder.end()
                        self.close()
                pieces = self._decoder.feed(data)
                if self._decoder.is_done:
                    self._release()
                for piece in pieces:
                    yield piece
        except (OSError, Broken) as error:
            raise self._transport.failure(self._outgoing, error) from error
        finally:
            self.close()

    async def read(self) -> bytes:
        """The whole body."""
        pieces, size = [], 0
        async for piece in self.pieces():
            pieces.append(piece)
            size += len(piece)
            if size > WHOLE_BYTES_MAX:
                self.close()
                raise EvokeError(
                    f"the answer is larger than {WHOLE_BYTES_MAX >> 20} MiB; stream it",
                    code=BAD_ANSWER,
                    status=self.status,
                )
        return b"".join(pieces)

    def close(self) -> None:
        """Gives up what has not been read."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        decoder = self._decoder
        if self._head.stays_open and not decoder.is_open and not decoder.has_surplus:
            self._transport.pool.give(address_of(self._outgoing.url)[0], connection)
        else:
            connection.close()


class Transport:
    """Sends requests over connections that are kept."""

    def __init__(self, retries: Retries, tls: ssl.SSLContext | None = None) -> None:
        self.pool = net.Pool()
        self._retries = retries
        self._tls = tls

    async def send(self, outgoing: Outgoing, retries: Retries | None = None) -> Answer:
        """The first answer that is worth having, or the last there was."""
        retries = retries or self._retries
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await self._try(outgoing)
            except (_NotSent, OSError, Broken) as error:
                wait = _wait_after_failure(retries, outgoing, attempt, error)
                if wait is None:
                    cause = error.cause if isinstance(error, _NotSent) else error
                    raise self.failure(outgoing, cause) from cause
            else:
                wait = await _wait_after_answer(retries, outgoing, attempt, answer)
                if wait is None:
                    return answer
                answer.close()
            await net.sleep(wait)

    async def _try(self, outgoing: Outgoing) -> Answer:
        address, target = address_of(outgoing.url)
        headers = {"host": address.authority(), **outgoing.headers}
        has_length = isinstance(outgoing.body, bytes) or outgoing.length is not None
        if isinstance(outgoing.body, bytes):
            headers["content-length"] = str(len(outgoing.body))
        elif outgoing.length is not None:
            headers["content-length"] = str(outgoing.length)
        elif outgoing.body is not None:
            headers["transfer-encoding"] = "chunked"
        elif outgoing.method in ("POST", "PUT", "PATCH"):
            headers["content-length"] = "0"
        head = request_head(outgoing.method, target, headers.items())
        connection = self.pool.take(address)
        if connection is None:
            try:
                connection = await net.Connection.open(address, outgoing.timeout, self._tls)
            except OSError as error:
                raise _NotSent(error) from error
        answer = Answer(self, outgoing, connection)
        try:
            await self._write(outgoing, connection, head, not has_length)
            await answer._begin()
        except BaseException:
            answer.close()
            raise
        return answer

    async def _write(
        self, outgoing: Outgoing, connection: Any, head: bytes, is_chunked: bool
    ) -> None:
        body = outgoing.body
        if body is None or isinstance(body, bytes):
            await connection.send(head + (body or b""), outgoing.timeout)
            return
        await connection.send(head, outgoing.timeout)
        try:
            async for piece in net.pieces_of(body):
                if piece and is_chunked:
                    piece = b"%x\r\n%b\r\n" % (len(piece), piece)
                await connection.send(piece, outgoing.timeout)
            if is_chunked:
                await connection.send(b"0\r\n\r\n", outgoing.timeout)
        except (BrokenPipeError, ConnectionResetError):
            # Whoever does not want the body says so in the answer.
            return

    def failure(self, outgoing: Outgoing, error: Exception) -> EvokeError:
        """The error that a request without an answer is told with."""
        address = address_of(outgoing.url)[0]
        where = f"{outgoing.method} {address.scheme}://{address.authority()}"
        if isinstance(error, TimeoutError):
            return EvokeError(f"{where}: {error or 'no answer in time'}", code=TIMED_OUT)
        if isinstance(error, Broken):
            return EvokeError(f"{where}: {error}", code=BAD_ANSWER)
        return EvokeError(f"{where} cannot be reached: {error}", code=UNREACHABLE)


def _wait_after_failure(
    retries: Retries, outgoing: Outgoing, attempt: int, error: Exception
) -> float | None:
    repeatable = outgoing.is_repeatable() or isinstance(error, _NotSent)
    wait = retries.after_failure(attempt, repeatable and outgoing.has_whole_body())
    return _in_time(outgoing, wait)


async def _wait_after_answer(
    retries: Retries, outgoing: Outgoing, attempt: int, answer: Answer
) -> float | None:
    if answer.status not in PASSING or not outgoing.has_whole_body():
        return None
    wanted = retry_after(answer.headers.get("retry-after"))
    wait = _in_time(outgoing, retries.after_answer(attempt, True, wanted))
    return None if wait is None or not await _may_repeat(outgoing, answer) else wait


async def _may_repeat(outgoing: Outgoing, answer: Answer) -> bool:
    """Whether another try does no harm, and could do any good."""
    if not outgoing.is_for_evoke:
        return outgoing.is_repeatable()
    if RAN in answer.headers:
        # The function has run, and the status is its own.
        return False
    code = await answer.code() if answer.status in CODED else None
    return code not in NEVER_AGAIN and (outgoing.is_repeatable() or code in NOT_BEGUN)


def _in_time(outgoing: Outgoing, wait: float | None) -> float | None:
    if wait is None or outgoing.deadline is None:
        return wait
    return wait if time.time() + wait < outgoing.deadline else None
