"""Connections and retries, of both faces."""

import asyncio
import gc
import os
import select
import threading
import unittest
import warnings
import weakref
from unittest import mock

from .fake import Fake, Raw
from evoke import Client, EvokeError, Retries
from evoke._async import net as waiting
from evoke._sync import net as blocking
from evoke.aio import Client as Waiting

QUICK = Retries(initial=0.001, chance=lambda: 1.0)
# How 200,000 bytes are written.
PARTS = [65536] * 3 + [3392]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def refusal(status, code, **headers):
    """An answer as an Evoke server refuses."""
    return status, {"error": {"code": code, "message": "no"}}, {"retry-after": "0", **headers}


def run(coroutine):
    return asyncio.run(coroutine)


class Faces:
    """Each test runs against both."""

    def call(self, url, method="GET", path="/x", **options):
        raise NotImplementedError

    def test_a_connection_is_used_again(self):
        with Fake(lambda asked: {}) as fake:
            self.calls(fake.url, 3)
            self.assertEqual(len({asked.connection for asked in fake.asked}), 1)

    def test_an_idle_connection_that_was_closed_is_not_used(self):
        with Raw([OK], [OK]) as raw:
            self.calls(raw.url, 2, pause=0.05)
            self.assertEqual(raw.opened, 2)

    def test_what_may_be_repeated_is(self):
        with Raw([b""], [b"HTTP/1.1 200 OK\r\nContent-Le"], [OK]) as raw:
            self.assertEqual(self.call(raw.url), {})

    def test_what_may_not_be_repeated_is_not(self):
        with Raw([b""], [OK]) as raw:
            with self.assertRaises(EvokeError) as caught:
                self.call(raw.url, "POST", json={})
            self.assertEqual((caught.exception.code, raw.opened), ("bad_answer", 1))

    def test_a_change_with_a_condition_may_have_been_made(self):
        with Raw([b""], [OK]) as raw:
            with self.assertRaises(EvokeError):
                self.call(raw.url, "PUT", json={}, headers={"if-match": '"evt_1"'})
            self.assertEqual(raw.opened, 1)

    def test_a_key_makes_it_repeatable(self):
        with Raw([b""], [OK]) as raw:
            key = {"idempotency-key": "k"}
            self.assertEqual(self.call(raw.url, "POST", json={}, headers=key), {})

    def test_who_has_not_begun_is_asked_again(self):
        codes = ["API_007", "API_010", "EV_003", "FN_007"]
        answers = [refusal(503 if code != "FN_007" else 429, code) for code in codes]
        quick = Retries(attempts=9, initial=0.001)
        with Fake(lambda asked: answers.pop(0) if answers else {"ok": True}) as fake:
            told = self.call(fake.url, "POST", json=1, retries=quick)
            self.assertEqual(told, {"ok": True})
            self.assertEqual([asked.body for asked in fake.asked], [b"1"] * 5)

    def test_what_may_have_been_done_is_not_done_again(self):
        ran = {"x-evoke-execution-id": "exe_1"}
        for method, answer in [
            ("POST", refusal(503, "ST_001")),
            ("POST", (503, b"<html>busy</html>", {})),
            ("POST", (429, {"error": 7}, {})),
            # A function has run, and these are its own: whatever it says.
            ("POST", refusal(503, "API_007", **ran)),
            ("POST", refusal(429, "FN_007", **ran)),
            ("GET", (503, {"sorry": True}, ran)),
            # Whoever is locked out is not let in by waiting a little.
            ("GET", refusal(429, "AU_003")),
        ]:
            with self.subTest(answer), Fake(lambda asked, answer=answer: answer) as fake:
                with self.assertRaises(EvokeError) as caught:
                    self.call(fake.url, method)
                self.assertEqual((caught.exception.status, len(fake.asked)), (answer[0], 1))

    def test_what_is_safe_is_asked_again_whatever_the_code(self):
        answers = [refusal(503, "ST_001"), (502, {}, {}), {"ok": True}]
        with Fake(lambda asked: answers.pop(0)) as fake:
            self.assertEqual(self.call(fake.url), {"ok": True})

    def test_a_refusal_that_breaks_off_is_one(self):
        broken = b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\n{"
        with Raw([broken], [OK]) as raw:
            self.assertEqual(self.call(raw.url), {})
        with Raw([broken], [OK]) as raw:
            with self.assertRaises(EvokeError) as caught:
                self.call(raw.url, "POST")
            self.assertEqual((caught.exception.status, raw.opened), (503, 1))

    def test_the_last_refusal_is_told(self):
        told = {
            "code": "EV_003",
            "message": "full",
            "problems": [{"field": "a", "message": "b", "suggestion": "c"}],
            "request_id": "r",
            "docs": "d",
        }
        with Fake(lambda asked: (503, {"error": told}, {"retry-after": "0"})) as fake:
            with self.assertRaises(EvokeError) as caught:
                self.call(fake.url)
            error = caught.exception
            self.assertEqual((error.code, error.status, error.retry_after), ("EV_003", 503, 0))
            self.assertEqual((error.request_id, error.docs), ("r", "d"))
            self.assertEqual(error.problems, (("a", "b", "c"),))
            self.assertEqual(str(error), "full; a: b (c)")
            self.assertEqual(len(fake.asked), 4)

    def test_a_wait_that_is_too_long_is_left_to_the_caller(self):
        with Fake(lambda asked: (429, {}, {"retry-after": "3600"})) as fake:
            with self.assertRaises(EvokeError) as caught:
                self.call(fake.url)
            self.assertEqual((len(fake.asked), caught.exception.retry_after), (1, 3600))

    def test_nobody_there_is_told(self):
        with Raw() as raw:
            url = raw.url
        with self.assertRaises(EvokeError) as caught:
            self.call(url, "POST", json={})
        self.assertEqual(caught.exception.code, "unreachable")
        self.assertIn(url, str(caught.exception))

    def test_silence_has_an_end(self):
        gate = threading.Event()
        with Fake(lambda asked: gate.wait(5) and {}) as fake:
            with self.assertRaises(EvokeError) as caught:
                self.call(fake.url, "POST", json={}, timeout=0.05)
            gate.set()
            self.assertEqual(caught.exception.code, "timed_out")

    def test_a_body_comes_in_any_form(self):
        def chunked(handler):
            handler.send_response(200)
            handler.send_header("transfer-encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")

        def until_close(handler):
            handler.send_response(200)
            handler.send_header("connection", "close")
            handler.end_headers()
            handler.wfile.write(b"[1,2]")

        for form in (chunked, until_close):
            with Fake(lambda asked: (200, form, {})) as fake:
                self.assertEqual(self.call(fake.url), [1, 2])

    def test_an_interim_answer_is_passed_over(self):
        with Raw([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK]) as raw:
            self.assertEqual(self.call(raw.url), {})

    def test_a_stranger_is_told(self):
        for answer in (b"SSH-2.0-OpenSSH\r\n\r\n", b"x" * 100_000):
            with Raw([answer]) as raw, self.assertRaises(EvokeError) as caught:
                self.call(raw.url, "POST", json={})
            self.assertEqual(caught.exception.code, "bad_answer")

    def test_a_stream_goes_out_as_it_comes(self):
        with Fake(lambda asked: {"size": len(asked.body)}) as fake:
            body = iter([b"a" * 70_000, b"", b"b"])
            self.assertEqual(self.call(fake.url, "PUT", body=body), {"size": 70_001})
            self.assertEqual(fake.asked[0].headers["transfer-encoding"], "chunked")


class Blocking(Faces, unittest.TestCase):
    def call(self, url, method="GET", path="/x", *, retries=QUICK, **options):
        with Client(url, retries=retries) as client:
            return client.call(method, path, **options)

    def calls(self, url, count, pause=0.0):
        with Client(url, retries=QUICK) as client:
            for _ in range(count):
                client.call("GET", "/x")
                threading.Event().wait(pause)

    def test_a_timeout_is_for_each_part_that_goes_out(self):
        sock, body = mock.Mock(), os.urandom(200_000)
        blocking.Connection(sock).send(body, 1.0)
        parts = [bytes(call.args[0]) for call in sock.sendall.call_args_list]
        self.assertEqual(([len(part) for part in parts], b"".join(parts)), (PARTS, body))

    def test_where_there_is_no_poll(self):
        with mock.patch.object(select, "poll"):
            del select.poll
            self.test_a_connection_is_used_again()
            self.test_an_idle_connection_that_was_closed_is_not_used()

    def test_the_awaited_form_has_the_same_settings(self):
        async def work():
            with self.assertRaises(EvokeError):
                await client.aio.call("GET", "/x")
            await client.aio.close()

        with Fake(lambda asked: (500, {}, {})) as fake:
            client = Client(fake.url, retries=Retries(attempts=2, initial=0.001))
            run(work())
            self.assertEqual(len(fake.asked), 2)

    def test_threads_share_a_client(self):
        with Fake(lambda asked: {"n": asked.query["n"]}) as fake:
            client, seen = Client(fake.url), []
            self.addCleanup(client.close)

            def work(n):
                for _ in range(20):
                    seen.append(client.call("GET", "/x", query={"n": n})["n"] == str(n))

            threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual((len(seen), all(seen)), (160, True))
            self.assertLessEqual(len({asked.connection for asked in fake.asked}), 8)

    def test_who_blocks_the_event_loop_is_told(self):
        async def work():
            with self.assertWarnsRegex(RuntimeWarning, "evoke.aio"):
                with Client(fake.url) as client:
                    client.call("GET", "/x")

        with Fake(lambda asked: {}) as fake:
            run(work())


class OnTheLoop(Faces, unittest.TestCase):
    def call(self, url, method="GET", path="/x", *, retries=QUICK, **options):
        async def work():
            async with Waiting(url, retries=retries) as client:
                return await client.call(method, path, **options)

        return run(work())

    def calls(self, url, count, pause=0.0):
        async def work():
            async with Waiting(url, retries=QUICK) as client:
                for _ in range(count):
                    await client.call("GET", "/x")
                    await asyncio.sleep(pause)

        run(work())

    def test_each_loop_has_its_connections(self):
        with Fake(lambda asked: {}) as fake:
            client = Waiting(fake.url)

            async def work():
                async with client:
                    return await client.call("GET", "/x")

            for _ in range(3):
                self.assertEqual(run(work()), {})

    def test_a_timeout_is_for_each_part_that_goes_out(self):
        done, body = [], os.urandom(200_000)

        class Writer:
            write = staticmethod(lambda part: done.append(bytes(part)))

            @staticmethod
            async def drain():
                done.append(None)

        run(waiting.Connection(None, Writer()).send(body, 1.0))
        self.assertEqual(done[1::2], [None] * 4)
        self.assertEqual(([len(part) for part in done[::2]], b"".join(done[::2])), (PARTS, body))

    def test_a_loop_that_is_over_is_forgotten(self):
        with Fake(lambda asked: {}) as fake:
            client = Waiting(fake.url)
            loops = weakref.WeakSet()

            async def work():
                loops.add(asyncio.get_running_loop())
                return await client.call("GET", "/x")

            with warnings.catch_warnings():
                # Sockets of a loop that ended before they were closed.
                warnings.simplefilter("ignore", ResourceWarning)
                for _ in range(4):
                    self.assertEqual(run(work()), {})
                gc.collect()
                self.assertLessEqual(len(loops), 1)
                run(client.close())
                gc.collect()
            self.assertEqual(len(loops), 0)

    def test_a_client_is_closed_from_another_loop(self):
        with Fake(lambda asked: {}) as fake:
            client = Waiting(fake.url)
            loop = asyncio.new_event_loop()
            self.addCleanup(loop.close)
            loop.run_until_complete(client.call("GET", "/x"))
            run(client.close())
            loop.run_until_complete(client.call("GET", "/x"))
            loop.run_until_complete(client.close())
            self.assertEqual(len({asked.connection for asked in fake.asked}), 2)

    def test_what_is_cancelled_leaves_nothing_behind(self):
        gate = threading.Event()

        def answer(asked):
            if asked.path == "/slow":
                gate.wait(5)
            return {"path": asked.path}

        async def work():
            client = Waiting(fake.url)
            slow = asyncio.create_task(client.call("GET", "/slow"))
            while not fake.asked:
                await asyncio.sleep(0.001)
            slow.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await slow
            self.assertEqual((await client.call("GET", "/next"))["path"], "/next")
            gate.set()
            await client.close()

        with Fake(answer) as fake:
            run(work())

    def test_many_run_at_once(self):
        async def work():
            client = Waiting(fake.url)
            calls = [client.call("GET", "/x", query={"n": n}) for n in range(50)]
            told = await asyncio.gather(*calls)
            self.assertEqual([one["n"] for one in told], [str(n) for n in range(50)])
            await client.close()

        with Fake(lambda asked: {"n": asked.query["n"]}) as fake:
            run(work())


if __name__ == "__main__":
    unittest.main()
