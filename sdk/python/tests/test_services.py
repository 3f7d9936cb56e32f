"""Storage, users, events, functions, secrets, and requests to anybody."""

import asyncio
import io
import os
import tempfile
import unittest
from datetime import timedelta
from unittest import mock

from .fake import Fake, Raw
from evoke import Client, EvokeError, Retries, http, reject, secrets
from evoke.aio import Client as Waiting
from evoke.settings import ambient

TIMES = {"created_at": "2026-12-01T09:00:00Z", "updated_at": "2026-12-01T09:00:00Z"}
FILE = {
    "bucket": "uploads",
    "name": "a b/ü.jpg",
    "size_bytes": 3,
    "content_type": "image/jpeg",
    "etag": "abc",
    "metadata": {},
    **TIMES,
}
USER = {"id": "usr_1", "email": "ada@example.com", "roles": ["admin"]}
TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 900, "session_id": "ses_1"}


class Case(unittest.TestCase):
    def serve(self, *answers, **options):
        answers = list(answers)
        fake = Fake(lambda asked: answers.pop(0) if len(answers) > 1 else answers[0])
        client = Client(fake.url, **options)
        self.addCleanup(fake.__exit__)
        self.addCleanup(client.close)
        self.fake = fake
        return client

    @property
    def last(self):
        return self.fake.asked[-1]


class Storage(Case):
    def test_a_file_goes_up_in_any_form(self):
        file = self.serve((201, FILE, {})).storage.bucket("uploads").file("a b/ü.jpg")
        for data in (b"abc", "abc", bytearray(b"abc"), memoryview(b"abc"), iter([b"a", b"bc"])):
            told = file.upload(data, content_type="image/jpeg", metadata={"Who": "Ada ü"})
            self.assertEqual((told.size_bytes, told.etag), (3, "abc"))
            self.assertEqual((self.last.method, self.last.body), ("PUT", b"abc"))
            self.assertEqual(self.last.target, "/api/buckets/uploads/files/a%20b/%C3%BC.jpg")
            self.assertEqual(self.last.headers["x-meta-who"], "Ada%20%C3%BC")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x")
            with open(path, "wb") as made:
                made.write(b"abc")
            file.upload_file(path, if_new=True)
            self.assertEqual(self.last.headers["content-length"], "3")
            self.assertEqual(self.last.headers["if-none-match"], "*")
        file.upload(io.BytesIO(b"abc"), if_match="abc")
        self.assertEqual(self.last.headers["if-match"], '"abc"')

    def test_a_name_leads_nowhere_else(self):
        bucket = self.serve(FILE).storage.bucket("uploads")
        for name in ("../../users", "a/./b", "a//b", "/a", "a/", "", "..", None):
            with self.subTest(name), self.assertRaises(ValueError):
                bucket.file(name)
        bucket.file("..a/b../...").delete()
        self.assertEqual(self.last.path, "/api/buckets/uploads/files/..a/b../...")

    def test_a_large_file_goes_up_in_parts(self):
        begun = {"id": "upl_1", "part_size": 4}
        with mock.patch("evoke._sync.file.WHOLE_MAX", 8):
            client = self.serve(begun, {}, {}, {}, FILE)
            client.storage.bucket("uploads").file("x").upload(b"0123456789")
        asked = [
            (asked.method, asked.path.split("/uploads/uploads")[1]) for asked in self.fake.asked
        ]
        parts = [("PUT", f"/upl_1/parts/{n}") for n in (1, 2, 3)]
        self.assertEqual(asked, [("POST", ""), *parts, ("POST", "/upl_1/complete")])
        self.assertEqual([one.body for one in self.fake.asked[1:4]], [b"0123", b"4567", b"89"])
        self.assertEqual(self.fake.asked[0].json()["size"], 10)

    def test_an_upload_that_fails_is_given_up(self):
        with mock.patch("evoke._sync.file.WHOLE_MAX", 1):
            client = self.serve({"id": "upl_1", "part_size": 4}, (413, {}, {}), {})
            with self.assertRaises(EvokeError):
                client.storage.bucket("uploads").file("x").upload(b"0123")
        self.assertEqual((self.last.method, self.last.path[-6:]), ("DELETE", "/upl_1"))

    def test_a_file_comes_down(self):
        file = self.serve(b"abc").storage.bucket("uploads").file("x")
        self.assertEqual(file.download(), b"abc")
        self.assertEqual(b"".join(file.stream()), b"abc")
        for options, header in [
            ({"start": 1}, "bytes=1-"),
            ({"end": 2}, "bytes=0-1"),
            ({"start": 1, "end": 3}, "bytes=1-2"),
            ({"start": -2}, "bytes=-2"),
        ]:
            file.download(**options)
            self.assertEqual(self.last.headers["range"], header)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x")
            file.download_file(path)
            with open(path, "rb") as made:
                self.assertEqual(made.read(), b"abc")

    def test_what_is_known_of_it(self):
        headers = {
            "content-length": "3",
            "content-type": "image/jpeg",
            "etag": '"abc"',
            "last-modified": "Tue, 01 Dec 2026 09:00:00 GMT",
            "x-meta-who": "Ada%20%C3%BC",
        }
        file = self.serve((200, None, headers)).storage.bucket("uploads").file("x")
        known = file.metadata()
        self.assertEqual((known.size_bytes, known.etag, known.updated_at.year), (3, "abc", 2026))
        self.assertEqual(known.metadata, {"who": "Ada ü"})
        self.assertTrue(file.exists())
        gone = self.serve((404, {"error": {"code": "SO_001"}}, {})).storage.bucket("u").file("x")
        self.assertEqual((gone.metadata(), gone.exists(), gone.delete()), (None, False, False))

    def test_copies_and_links(self):
        client = self.serve(FILE)
        file = client.storage.bucket("uploads").file("x")
        file.copy("y", bucket="archive")
        self.assertEqual(self.last.json(), {"from": "x", "to": "y", "to_bucket": "archive"})
        link = {"url": "/storage/uploads/x?s=1", "method": "PUT", "expires_at": TIMES["created_at"]}
        file = self.serve(link).storage.bucket("uploads").file("x")
        url = file.signed_url("PUT", expires_in=timedelta(minutes=1))
        self.assertEqual(url, f"{self.fake.url}/storage/uploads/x?s=1")
        asked = {"name": "x", "method": "PUT", "expires_in": "60000ms"}
        self.assertEqual(self.last.json(), asked)

    def test_files_are_listed_page_by_page(self):
        first = {"data": [FILE], "prefixes": ["a/"], "next_cursor": "c"}
        bucket = self.serve(first, {**first, "next_cursor": None}).storage.bucket("uploads")
        self.assertEqual([file.name for file in bucket.list("a b/")], [FILE["name"]] * 2)
        self.assertEqual(self.last.query, {"prefix": "a b/", "cursor": "c"})
        self.assertEqual(bucket.page(delimiter="/").prefixes, ["a/"])

    def test_on_the_event_loop(self):
        async def pieces():
            yield b"a"
            yield b"bc"

        async def main():
            async with Waiting(fake.url) as client:
                file = client.storage.bucket("uploads").file("x")
                for data in (pieces(), io.BytesIO(b"abc"), [b"ab", b"c"]):
                    await file.upload(data)
                return [info.name async for info in client.storage.bucket("uploads").list()]

        def answer(asked):
            return {"data": [FILE]} if asked.method == "GET" else FILE

        with Fake(answer) as fake:
            self.assertEqual(asyncio.run(main()), [FILE["name"]])
            self.assertEqual([asked.body for asked in fake.asked[:3]], [b"abc"] * 3)


class Users(Case):
    def test_a_token_names_its_user(self):
        auth = self.serve({"user": USER}).auth
        for header in ("Bearer abc", "bearer  abc ", "abc"):
            user = auth.verify_token(header)
            self.assertEqual((user.id, user.email, user.roles), ("usr_1", USER["email"], ["admin"]))
            self.assertEqual((user.email_verified, user.issuer), (False, None))
            self.assertEqual(self.last.json(), {"token": "abc"})
        for header in (None, "", "Bearer "):
            with self.assertRaises(EvokeError) as caught:
                auth.verify_token(header)
            self.assertEqual(caught.exception.status, 401)

    def test_whose_user_it_is(self):
        told = {**USER, "email_verified": True, "issuer": "https://id.test"}
        user = self.serve({"user": told}).auth.verify_token("abc")
        self.assertEqual((user.email_verified, user.issuer), (True, "https://id.test"))

    def test_sessions(self):
        auth = self.serve({"user": USER, **TOKENS}).auth
        session = auth.login("ada@example.com", "secret")
        self.assertEqual((session.access_token, session.user.id), ("a", "usr_1"))
        self.assertNotIn("'a'", repr(session))
        self.assertEqual(auth.refresh("r").refresh_token, "r")
        auth.logout("r", everywhere=True)
        self.assertEqual(self.last.json(), {"refresh_token": "r", "all": True})
        auth.me("token of a user")
        self.assertEqual(self.last.headers["authorization"], "Bearer token of a user")
        self.assertIsNone(self.serve({"user": USER}).auth.signup("a", "b", data={"c": 1}))
        self.assertEqual(self.last.json(), {"email": "a", "password": "b", "data": {"c": 1}})

    def test_administration(self):
        users = self.serve({"data": [USER], "next_cursor": None}).auth.users
        self.assertEqual([user.id for user in users.list(role="admin")], ["usr_1"])
        self.assertEqual(self.last.query, {"role": "admin"})
        gone = self.serve((404, {"error": {"code": "AU_005"}}, {})).auth.users
        self.assertEqual((gone.get("x"), gone.delete("x")), (None, False))
        self.serve(USER).auth.users.update("usr_1", {"locked_until": None})
        self.assertEqual(self.last.json(), {"locked_until": None})


class EventsAndFunctions(Case):
    def test_events(self):
        events = self.serve((202, {"ids": ["evt_1"], "duplicates": [0]}, {})).events
        told = events.publish("order.paid", {"at": None}, subject="A-1", delay=90)
        self.assertEqual((told.id, told.ids, told.duplicates), ("evt_1", ["evt_1"], [0]))
        body = {"type": "order.paid", "data": {"at": None}, "subject": "A-1", "delay": "90000ms"}
        self.assertEqual(self.last.json(), body)
        first = self.last.headers["idempotency-key"]
        events.publish_many([{"type": "a"}, {"type": "b", "data": 1}], idempotency_key="k")
        self.assertEqual(self.last.json(), [{"type": "a"}, {"type": "b", "data": 1}])
        self.assertNotEqual(first, self.last.headers["idempotency-key"])
        self.assertEqual(events.publish_many([]).ids, [])
        with self.assertRaisesRegex(TypeError, "no 'typ'"):
            events.publish_many([{"typ": "a"}])

    def test_functions(self):
        text = {"content-type": "text/plain"}
        for answer, expected in [
            ({"a": 1}, {"a": 1}),
            ((200, b"hi", text), "hi"),
            ((200, b"\0\1", {}), b"\0\1"),
            ((204, None, {}), None),
        ]:
            self.assertEqual(self.serve(answer).functions.invoke("my fn", {"b": 2}), expected)
            self.assertEqual(self.last.path, "/api/functions/my%20fn/invoke")
            self.assertNotIn("prefer", self.last.headers)
        accepted = self.serve((202, {"execution_id": "exe_1"}, {}))
        told = accepted.functions.invoke("f", wait=False, idempotency_key="k")
        self.assertEqual(told, {"execution_id": "exe_1"})
        self.assertEqual(self.last.headers["prefer"], "respond-async")
        ran = {"x-evoke-execution-id": "exe_1"}
        for status, code in [(502, "FN_004"), (503, "FN_011"), (429, "FN_007")]:
            broken = self.serve((status, {"error": {"code": code, "message": "x"}}, ran))
            with self.assertRaises(EvokeError) as caught:
                broken.functions.invoke("f", idempotency_key="k")
            self.assertEqual((caught.exception.code, len(self.fake.asked)), (code, 1))

    def test_a_call_that_is_waited_for_is_made_once_whatever_its_key(self):
        accepted = b'HTTP/1.1 202 OK\r\nContent-Length: 23\r\n\r\n{"execution_id": "e_1"}'
        for wait, opened in [(True, 1), (False, 2)]:
            with Raw([b""], [accepted]) as raw, Client(raw.url) as client:
                try:
                    client.functions.invoke("f", wait=wait, idempotency_key="k")
                except EvokeError as error:
                    self.assertEqual((wait, error.code), (True, "bad_answer"))
                self.assertEqual(raw.opened, opened)


class Environment(Case):
    def test_secrets(self):
        with mock.patch.dict(os.environ, {"STRIPE_KEY": "sk"}):
            self.assertEqual((secrets.get("STRIPE_KEY"), secrets["STRIPE_KEY"]), ("sk", "sk"))
            self.assertIn("STRIPE_KEY", secrets)
            with self.assertRaisesRegex(EvokeError, "did you mean STRIPE_KEY"):
                secrets.get("STRIP_KEY")
        self.assertIsNone(secrets.get("NO_SUCH_THING_AT_ALL", None))

    def test_who_calls_is_told_by_the_environment(self):
        with Fake(lambda asked: {"ids": ["evt_1"]}) as fake:
            home = {"EVOKE_URL": fake.url + "/", "EVOKE_API_KEY": "evk_1"}
            with mock.patch.dict(os.environ, home), Client() as client:
                client.events.publish("a")
            with Client(fake.url, api_key="evk_2") as client:
                client.events.publish("a")
            keys = [asked.headers["authorization"] for asked in fake.asked]
            self.assertEqual(keys, ["Bearer evk_1", "Bearer evk_2"])

    def test_the_key_of_the_environment_is_for_its_own_server(self):
        home = {"EVOKE_URL": "http://Home.test:80/evoke/", "EVOKE_API_KEY": "evk_1"}
        call = {
            "token": "evt_run_1",
            "traceparent": "trace",
            "requestId": "req",
            "deadlineMs": 5000,
        }
        with mock.patch.dict(os.environ, home):
            for url, key, token in [
                (None, None, "evk_1"),
                ("http://home.test", None, "evk_1"),
                ("http://home.test", "evk_2", "evk_2"),
                ("https://home.test", None, None),
                ("http://home.test:81", None, None),
                ("http://other.test", None, None),
                ("http://home.test@other.test", None, None),
                ("http://other.test", "evk_2", "evk_2"),
            ]:
                with self.subTest(url):
                    self.assertEqual(ambient(url, key).token, token)
                    of_call = "evt_run_1" if token == "evk_1" else token
                    caller = ambient(url, key, call)
                    self.assertEqual(caller.token, of_call)
                    # The time is up for whomever is asked; the rest is told to its server only.
                    is_home = url in (None, "http://home.test")
                    told = ("trace", "req") if is_home else (None, None)
                    self.assertEqual((caller.traceparent, caller.request_id), told)
                    self.assertEqual(caller.deadline, 5.0)
        with mock.patch.dict(os.environ, {"EVOKE_API_KEY": "evk_1"}):
            os.environ.pop("EVOKE_URL", None)
            self.assertIsNone(ambient("http://other.test").token)
            self.assertEqual(ambient("http://127.0.0.1:8090/").token, "evk_1")

    def test_a_hook_says_no(self):
        self.assertEqual(reject("no"), {"reject": {"message": "no"}})
        problem = {"field": "email", "message": "taken"}
        told = reject("no", status=409, problems=[problem])
        self.assertEqual(told["reject"], {"message": "no", "status": 409, "problems": [problem]})
        with self.assertRaises(ValueError):
            reject("no", status=500)


class Requests(Case):
    def test_a_request_says_what_it_was_given(self):
        with Fake(lambda asked: {"ok": True}) as fake:
            answer = http.post(f"{fake.url}/x?a=1", params={"b": [2, 3]}, json={"c": 1})
            self.assertEqual((answer.status, answer.ok, answer.json()), (200, True, {"ok": True}))
            self.assertEqual(fake.asked[0].target, "/x?a=1&b=2&b=3")
            http.post(fake.url, data={"a b": "c&d"})
            self.assertEqual(fake.asked[1].body, b"a+b=c%26d")
            http.put(fake.url, data="ü")
            self.assertEqual(fake.asked[2].body, "ü".encode())
            http.close()

    def test_what_is_safe_is_tried_again(self):
        quick = Retries(initial=0.001)
        answers = [(500, {}, {}), (503, {}, {"retry-after": "0"}), {"ok": True}]
        with Fake(lambda asked: answers.pop(0)) as fake:
            self.assertEqual(http.get(fake.url, retries=quick).status, 200)
            http.close()
        for options, count in [({}, 1), ({"idempotency_key": "k"}, 4)]:
            with Fake(lambda asked: (503, {}, {})) as fake:
                answer = http.post(fake.url, json={}, retries=quick, **options)
                self.assertEqual((answer.status, len(fake.asked)), (503, count))
                with self.assertRaises(EvokeError):
                    answer.raise_for_status()
                http.close()
        with Fake(lambda asked: (503, {}, {})) as fake:
            http.get(fake.url, retries=0)
            self.assertEqual(len(fake.asked), 1)
            http.close()

    def test_redirects_do_not_carry_secrets_away(self):
        with Fake(lambda asked: {"here": asked.path}) as there:
            moved = lambda asked: (302, None, {"location": f"{there.url}/new"})  # noqa: E731
            with Fake(moved) as here:
                headers = {"Authorization": "Bearer x", "Cookie": "y", "X-Other": "z"}
                answer = http.post(f"{here.url}/old", json={}, headers=headers)
                self.assertEqual(answer.json(), {"here": "/new"})
                asked = there.asked[0]
                self.assertEqual((asked.method, asked.body), ("GET", b""))
                self.assertEqual(asked.headers["x-other"], "z")
                self.assertFalse({"authorization", "cookie"} & set(asked.headers))
        with Fake(lambda asked: (307, None, {"location": "/again"})) as fake:
            with self.assertRaisesRegex(EvokeError, "redirects"):
                http.get(fake.url)
            http.close()

    def test_an_answer_may_be_a_stream(self):
        with Fake(lambda asked: b"x" * 200_000) as fake:
            answer = http.get(fake.url, stream=True)
            self.assertEqual(sum(map(len, answer.stream())), 200_000)
            http.close()


if __name__ == "__main__":
    unittest.main()
