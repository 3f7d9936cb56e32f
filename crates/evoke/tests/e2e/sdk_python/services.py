"""Uses everything once, on names of its own."""

import os
from datetime import datetime, timezone

from evoke import EvokeError, secrets
from evoke.aio import auth, db, events, functions, http, storage


async def refused(work):
    try:
        await work()
    except EvokeError as error:
        return [error.code, error.status]
    return None


async def handler(event, context):
    run, access = event["data"]["run"], event["data"]["access"]
    user = await auth.verify_token(f"Bearer {access}")
    told = await events.publish("sdk.many", {"run": run}, subject=run)
    more = await events.publish_many([{"type": "sdk.many"}, {"type": "sdk.many"}])
    later = await functions.invoke("echo", {"run": run}, wait=False)
    answer = await http.get(f"{os.environ['EVOKE_URL']}/health/live")
    return {
        "database": await database(db.collection(f"notes_{run}")),
        "transaction": await transaction(f"accounts_{run}"),
        "storage": await files(storage.bucket(f"files-{run}")),
        "auth": [user.email, (await auth.users.get(user.id)).id == user.id],
        "stranger": await auth.users.get("usr_none"),
        "forged": await refused(lambda: auth.verify_token(f"{access}x")),
        "events": [len(told.ids), len(more.ids)],
        "invoked": await functions.invoke("echo", {"run": run}),
        "later": later["execution_id"][:4],
        "unknown": await refused(lambda: functions.invoke("echoo", {})),
        "secret": secrets.get("COLOUR"),
        "client": len((await context.evoke.events.publish_async("sdk.many"))["ids"]),
        "fetched": answer.status,
    }


def day(n):
    return datetime(2026, 1, n, tzinfo=timezone.utc)


async def database(notes):
    made = await notes.create({"id": "a", "n": 1, "at": day(1), "tags": ["x"]})
    await notes.create_many({"id": f"n{n}", "n": n, "at": day(n)} for n in (2, 3, 4, 5))
    again = notes.doc("a")
    changed = await again.update({"n": 10, "tags": None}, if_revision=made.revision)
    early = notes.where("at", "<", day(4)).where("n", "in", [2, 3, 10]).order_by("n")
    updated = await notes.where("n", "<", 4).update({"small": True})
    found = {
        "same": made["at"],
        "queried": [one.id for one in await early.get()],
        "first": (await notes.order_by("n").first()).id,
        "none": await notes.where("n", ">", 99).first(),
        "count": await notes.where("n", ">=", 3).count(),
        "changed": [changed["n"], "tags" in changed],
        "stale": await refused(lambda: again.set({"n": 0}, if_revision=made.revision)),
        "written": (await again.set({**changed, "n": 11}))["n"],
        "twice": await refused(lambda: again.create({"n": 0})),
        "all": [one.id async for one in notes.order_by("n", "desc")],
        "updated": [updated.matched, updated.changed],
        "deleted": (await notes.where("small", "==", True).delete()).changed,
    }
    found["gone"] = [await notes.doc("n2").get(), await notes.doc("n2").delete()]
    found["left"] = sorted([one.id async for one in notes])
    return found


async def transaction(name):
    accounts = db.collection(name)
    await accounts.create_many([{"id": "a", "n": 100}, {"id": "b", "n": 0}])

    async def work(t):
        a, b = (t.collection(name).doc(id) for id in ("a", "b"))
        amount = (await a.get())["n"] // 10
        a.update({"n": (await a.get())["n"] - amount})
        b.update({"n": (await b.get())["n"] + amount})

    await db.transaction(work)
    seen = []

    async def unless_closed(t):
        seen.append(await t.collection(name).doc("closed").get() is None)
        if len(seen) == 1:
            # Somebody else, meanwhile.
            await accounts.doc("closed").create({})
        elif not seen[-1]:
            return
        t.collection(name).doc("a").update({"n": 0})

    await db.transaction(unless_closed)
    return [(await accounts.doc(id).get())["n"] for id in ("a", "b")] + seen


async def files(bucket):
    file = bucket.file("a folder/ä.txt")
    info = await file.upload("héllo", metadata={"owner": "Adá"})
    await file.copy("copy.txt")
    await bucket.file("bytes").upload(iter([b"1", b"23"]), content_type="x/y")
    signed = await http.get(await file.signed_url(expires_in="1m"))
    known = await file.metadata()
    return {
        "info": [info.name, info.size_bytes, info.content_type, info.metadata["owner"]],
        "bytes": (await file.download()).decode(),
        "range": (await file.download(start=0, end=1)).decode(),
        "streamed": b"".join([piece async for piece in file.stream()]).decode(),
        "signed": signed.text,
        "known": [known.etag == info.etag, known.metadata, await file.exists()],
        "names": sorted([one.name async for one in bucket.list()]),
        "below": len([one async for one in bucket.list("a folder/")]),
        "new": await refused(lambda: file.upload("x", if_new=True)),
        "missing": await refused(lambda: bucket.file("none").download()),
        "gone": [await bucket.file("bytes").delete(), await bucket.file("bytes").delete()],
    }
