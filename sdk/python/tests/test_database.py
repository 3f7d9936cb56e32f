"""Collections, documents, transactions and changes."""

import asyncio
import json
import threading
import unittest
from datetime import datetime, timedelta, timezone

from .fake import Fake, Raw
from evoke import Client, EvokeError
from evoke.aio import Client as Waiting

KEPT = {
    "_revision": "evt_1",
    "_created_at": "2026-12-01T09:00:00Z",
    "_updated_at": "2026-12-01T09:00:00.123456789+01:00",
}
ADA = {"id": "ada", "age": 36, **KEPT}
MISSING = (404, {"error": {"code": "DB_001", "message": "no such document"}}, {})
CHANGED = (412, {"error": {"code": "DB_004", "message": "changed"}}, {})


class Case(unittest.TestCase):
    def serve(self, *answers):
        """A database whose server gives these answers, the last one for ever."""
        answers = list(answers)
        fake = Fake(lambda asked: answers.pop(0) if len(answers) > 1 else answers[0])
        client = Client(fake.url)
        self.addCleanup(fake.__exit__)
        self.addCleanup(client.close)
        self.fake = fake
        return client.db

    def asked(self, place=-1):
        asked = self.fake.asked[place]
        return asked.method, asked.path, asked.json() if asked.body else None


class Queries(Case):
    def test_a_query_says_what_it_was_given(self):
        db = self.serve({"data": [ADA], "next_cursor": None})
        since = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
        query = db.collection("my users").where("active", "==", True).where("seen", ">", since)
        found = query.order_by("age", "desc").order_by("-name").order_by("id").limit(5).get()
        self.assertEqual(found, [ADA])
        where = [["active", "==", True], ["seen", ">", "2025-12-31T22:00:00.000Z"]]
        order = ["-age", "-name", "id"]
        body = {"where": where, "order_by": order, "limit": 5}
        self.assertEqual(self.asked(), ("POST", "/api/collections/my%20users/query", body))
        document = found[0]
        self.assertEqual((document.id, document.revision), ("ada", "evt_1"))
        self.assertEqual(document.created_at, datetime(2026, 12, 1, 9, tzinfo=timezone.utc))
        self.assertEqual(document.updated_at.microsecond, 123456)

    def test_queries_do_not_change(self):
        users = self.serve({"count": 3}).collection("users")
        users.where("a", "==", 1)
        users.count()
        self.assertEqual(self.asked()[2], {"where": []})
        self.assertEqual(users.limit(2).count(), 2)

    def test_pages_are_read_as_they_are_wanted(self):
        page = [{**ADA, "id": str(n)} for n in range(3)]
        db = self.serve(
            {"data": page, "next_cursor": "c"},
            {"data": [], "next_cursor": "d"},
            {"data": page[:1], "next_cursor": None},
        )
        iterator = iter(db.collection("users"))
        next(iterator)
        self.assertEqual(len(self.fake.asked), 1)
        self.assertEqual(len(list(iterator)), 3)
        self.assertEqual(
            [asked.json().get("cursor") for asked in self.fake.asked], [None, "c", "d"]
        )

    def test_a_limit_spans_pages(self):
        page = [{**ADA, "id": str(n)} for n in range(1000)]
        db = self.serve({"data": page, "next_cursor": "c"}, {"data": page[:5], "next_cursor": "d"})
        self.assertEqual(len(db.collection("users").limit(1005).get()), 1005)
        self.assertEqual([asked.json()["limit"] for asked in self.fake.asked], [1000, 5])

    def test_get_does_not_fill_the_memory(self):
        db = self.serve({"data": [ADA] * 1000, "next_cursor": "c"})
        with self.assertRaisesRegex(ValueError, "iterate"):
            db.collection("users").get()
        self.assertEqual(len(self.fake.asked), 11)

    def test_the_first_or_none(self):
        db = self.serve({"data": [ADA], "next_cursor": "c"}, {"data": [], "next_cursor": None})
        users = db.collection("users").order_by("age")
        self.assertEqual((users.first(), users.first()), (ADA, None))

    def test_changes_of_many_want_conditions(self):
        users = self.serve({"matched": 2, "changed": 1}).collection("users")
        old = users.where("expires", "<", datetime(2026, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(old.update({"gone": True}), (2, 1))
        where = [["expires", "<", "2026-01-01T00:00:00.000Z"]]
        body = {"where": where, "set": {"gone": True}}
        self.assertEqual(self.asked(), ("PATCH", "/api/collections/users/documents", body))
        self.assertEqual(old.delete().changed, 1)
        self.assertEqual(json.loads(self.fake.asked[-1].query["where"]), where)
        for broken in (users, old.limit(1), old.order_by("a")):
            for change in (broken.delete, lambda broken=broken: broken.update({})):
                with self.assertRaises(ValueError):
                    change()

    def test_changes_of_many_are_waited_for_and_made_once(self):
        slow = threading.Event()
        with Fake(lambda asked: slow.wait(0.2) or {"matched": 1, "changed": 1}) as fake:
            with Client(fake.url, timeout=0.01) as client:
                old = client.db.collection("users").where("age", ">", 9)
                self.assertEqual((old.update({"a": 1}), old.delete()), ((1, 1), (1, 1)))
        for change in (lambda old: old.update({"a": 1}), lambda old: old.delete()):
            with Raw([b""], [b""]) as raw, Client(raw.url) as client:
                with self.assertRaises(EvokeError):
                    change(client.db.collection("users").where("age", ">", 9))
                self.assertEqual(raw.opened, 1)

    def test_reads_are_tried_again(self):
        for read, told in [
            (lambda users: users.count(), b'{"count": 3}'),
            (lambda users: users.explain(), b'{"plan": []}'),
            (lambda users: users.get(), b'{"data": [], "next_cursor": null}'),
        ]:
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told)
            with Raw([b""], [head + told]) as raw, Client(raw.url) as client:
                read(client.db.collection("users"))
                self.assertEqual(raw.opened, 2)

    def test_mistakes_are_told_before_anything_is_sent(self):
        users = self.serve({}).collection("users")
        for mistake, said in [
            (lambda: users.where("a", "=", 1), "did you mean '=='"),
            (lambda: users.where("a", "contain", 1), "did you mean 'contains'"),
            (lambda: users.order_by("a", "up"), "'asc' or 'desc'"),
            (lambda: users.limit(0), "from 1 on"),
            (lambda: users.doc(""), "cannot be a name"),
            (lambda: users.doc(".."), "cannot be a name"),
            (lambda: users.create_many([{}] * 1001), "1000 documents at once"),
            (lambda: users.where("a", "==", float("nan")).count(), "not JSON compliant"),
        ]:
            with self.subTest(said), self.assertRaisesRegex(ValueError, said):
                mistake()
        for wrong in ([{}], "x", None):
            with self.assertRaises(TypeError):
                users.create(wrong)
        self.assertEqual(self.fake.asked, [])


class Documents(Case):
    def test_each_change_is_its_request(self):
        users = self.serve(ADA).collection("users")
        ada, path = users.doc("a/d ä"), "/api/collections/users/documents/a%2Fd%20%C3%A4"
        ada.set({"age": 1})
        self.assertEqual(self.asked(), ("PUT", path, {"age": 1}))
        self.assertEqual(self.fake.asked[-1].query, {"upsert": "true"})
        ada.set({"age": 1}, if_revision="evt_1")
        self.assertEqual(self.fake.asked[-1].query, {})
        self.assertEqual(self.fake.asked[-1].headers["if-match"], '"evt_1"')
        ada.create({})
        self.assertEqual(self.fake.asked[-1].headers["if-none-match"], "*")
        ada.update({"age": None}, if_revision="evt_2")
        self.assertEqual(self.asked(), ("PATCH", path, {"age": None}))
        self.assertEqual(self.fake.asked[-1].headers["if-match"], '"evt_2"')
        self.assertTrue(ada.exists())

    def test_what_is_read_can_be_written_back(self):
        users = self.serve(ADA).collection("users")
        document = users.doc("ada").get()
        document["age"] += 1
        users.doc("ada").set(document, if_revision=document.revision)
        self.assertEqual(self.asked()[2], {**ADA, "age": 37})

    def test_what_is_not_there(self):
        ghost = self.serve(MISSING).collection("users").doc("ghost")
        self.assertEqual((ghost.get(), ghost.exists(), ghost.delete()), (None, False, False))
        with self.assertRaises(EvokeError):
            ghost.update({})

    def test_no_database_is_no_missing_document(self):
        elsewhere = (404, {"error": {"code": "API_002", "message": "no such route"}}, {})
        with self.assertRaises(EvokeError):
            self.serve(elsewhere).collection("users").doc("ada").get()

    def test_many_at_once(self):
        users = self.serve((201, {"data": [ADA, ADA]}, {})).collection("users")
        self.assertEqual(
            users.create_many(document for document in ({"a": 1}, {"a": 2})), [ADA] * 2
        )
        self.assertEqual(self.asked()[2], [{"a": 1}, {"a": 2}])
        self.assertEqual(users.create_many([]), [])
        self.assertEqual(len(self.fake.asked), 1)

    def test_collections_are_defined(self):
        told = {"name": "users", "schema": None, "indexes": []}
        db = self.serve(told)
        users = db.collection("users")
        indexes = [{"fields": ["email"], "unique": True}]
        self.assertEqual(users.define(indexes=indexes).name, "users")
        body = {"schema": None, "indexes": indexes}
        self.assertEqual(self.asked(), ("PUT", "/api/collections/users", body))
        self.assertEqual(users.info().indexes, [])


class Transactions(Case):
    def test_what_was_read_is_checked(self):
        db = self.serve(ADA, MISSING, {**ADA, "id": "tim"}, {"data": [{}, {}, {}, {}]})

        def work(t):
            users = t.collection("users")
            ada, bob, tim = (users.doc(id) for id in ("ada", "bob", "tim"))
            self.assertEqual((ada.get()["age"], bob.get(), tim.get().id), (36, None, "tim"))
            self.assertEqual(ada.get()["age"], 36)
            ada.update({"age": 37})
            bob.set({"age": 1})
            users.create({"age": 2})
            return "done"

        self.assertEqual(db.transaction(work), "done")
        on = {"collection": "users"}
        self.assertEqual(
            self.asked()[2]["operations"],
            [
                {"op": "check", **on, "id": "tim", "if_match": "evt_1"},
                {"op": "update", **on, "document": {"age": 37}, "id": "ada", "if_match": "evt_1"},
                {"op": "create", **on, "document": {"age": 1}, "id": "bob"},
                {"op": "create", **on, "document": {"age": 2}},
            ],
        )

    def test_what_was_not_there_must_still_be_missing(self):
        taken = (409, {"error": {"code": "DB_002", "message": "is there"}}, {})
        db = self.serve(MISSING, taken, ADA)

        def work(t):
            if t.collection("names").doc("ada").get() is not None:
                return "taken"
            t.collection("users").create({"name": "ada"})
            return "made"

        self.assertEqual(db.transaction(work), "taken")
        self.assertEqual(
            self.asked(1)[2]["operations"],
            [
                {"op": "check", "collection": "names", "id": "ada", "revision": None},
                {"op": "create", "collection": "users", "document": {"name": "ada"}},
            ],
        )

    def test_it_is_made_anew_when_something_changed(self):
        newer = {**ADA, "age": 40, "_revision": "evt_2"}
        db = self.serve(ADA, CHANGED, newer, {"data": [{}]})

        def work(t):
            ada = t.collection("users").doc("ada")
            ada.update({"age": ada.get()["age"] + 1})

        db.transaction(work)
        operation = self.asked()[2]["operations"][0]
        self.assertEqual((operation["document"], operation["if_match"]), ({"age": 41}, "evt_2"))

    def test_it_is_not_made_anew_for_nothing(self):
        db = self.serve(CHANGED)
        with self.assertRaises(EvokeError):
            db.transaction(lambda t: t.collection("users").doc("ada").update({}))
        self.assertEqual(len(self.fake.asked), 1)
        with self.assertRaisesRegex(ZeroDivisionError, "zero"):
            db.transaction(lambda t: 1 / 0)
        with self.assertRaisesRegex(ValueError, "changed twice"):
            db.transaction(lambda t: [t.collection("a").doc("b").delete() for _ in range(2)])
        self.assertEqual(db.transaction(lambda t: 7), 7)
        self.assertEqual(len(self.fake.asked), 1)

    def test_on_the_event_loop(self):
        self.serve(ADA, {"data": [{}]})

        async def work(t):
            ada = t.collection("users").doc("ada")
            ada.update({"age": (await ada.get())["age"] + 1})

        async def main():
            async with Waiting(self.fake.url) as client:
                await client.db.transaction(work)

        asyncio.run(main())
        self.assertEqual(self.asked()[2]["operations"][0]["document"], {"age": 37})

    def test_reads_at_the_same_time_are_one(self):
        self.serve(ADA, {**ADA, "age": 40, "_revision": "evt_2"}, {"data": [{}]})

        async def work(t):
            ada = t.collection("users").doc("ada")
            one, other = await asyncio.gather(ada.get(), ada.get())
            self.assertEqual(one, other)
            ada.update({"age": one["age"]})
            return one.revision

        async def main():
            async with Waiting(self.fake.url) as client:
                return await client.db.transaction(work)

        revision = asyncio.run(main())
        self.assertEqual(self.asked()[2]["operations"][0]["if_match"], revision)


def feed(*texts):
    """An answer that is a stream of these."""

    def write(handler):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        for text in texts:
            handler.wfile.write(text.encode())

    return (200, write, {})


def change(id, **more):
    told = {
        "event_id": id,
        "time": "2026-12-01T09:00:00Z",
        "collection": "users",
        "action": "create",
        "id": "ada",
        "document": ADA,
        "previous_document": None,
        "changed_fields": ["age"],
        **more,
    }
    return f"id: {id}\nevent: change\ndata: {json.dumps(told)}\n\n"


class Changes(Case):
    def test_they_go_on_where_the_connection_broke(self):
        db = self.serve(
            feed(": hello\n\n", change("evt_1"), change("evt_2"), "id: evt_3\nevent: cha"),
            feed(change("evt_3")),
        )
        changes = db.collection("users").changes(action="create", after="evt_0")
        found = [next(changes) for _ in range(3)]
        changes.close()
        self.assertEqual([one.event_id for one in found], ["evt_1", "evt_2", "evt_3"])
        self.assertEqual((found[0].document.id, found[0].previous_document), ("ada", None))
        last = [asked.headers["last-event-id"] for asked in self.fake.asked]
        self.assertEqual(last, ["evt_0", "evt_2"])
        self.assertEqual(self.fake.asked[0].query, {"action": "create"})

    def test_a_place_that_is_told_alone_is_kept(self):
        db = self.serve(
            feed("id: evt_5\n\n", "id: evt_6\nevent: cha"),
            feed(change("evt_6") + "id: evt_7\n\n"),
            feed(": nothing\n\n"),
            feed(change("evt_8")),
        )
        found = db.collection("users").changes()
        self.assertEqual([next(found).event_id for _ in range(2)], ["evt_6", "evt_8"])
        found.close()
        last = [asked.headers.get("last-event-id") for asked in self.fake.asked]
        self.assertEqual(last, [None, "evt_5", "evt_7", "evt_7"])

    def test_what_was_missed_is_told(self):
        missed = 'event: missed\ndata: {"since": "2026-01-01T00:00:00Z"}\n\n'
        db = self.serve(feed(missed, change("evt_9")))
        with self.assertRaisesRegex(EvokeError, "before 2026-01-01T00:00:00Z") as caught:
            next(db.collection("users").changes(after="evt_1"))
        self.assertEqual((caught.exception.status, len(self.fake.asked)), (410, 1))

    def test_a_refusal_ends_them(self):
        with self.assertRaises(EvokeError):
            next(self.serve((403, {}, {})).collection("users").changes())

    def test_on_the_event_loop(self):
        self.serve(feed(change("evt_1"), change("evt_2")))

        async def main():
            async with Waiting(self.fake.url) as client:
                async for one in client.db.collection("users").changes():
                    if one.event_id == "evt_2":
                        return one.action

        self.assertEqual(asyncio.run(main()), "create")


if __name__ == "__main__":
    unittest.main()
