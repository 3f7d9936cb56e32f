# A client of the server for handlers.


class Client:
    """Publishes events and invokes functions. `publish_async` and `invoke_async` do not block
    the event loop."""

    def __init__(self, raw):
        self.raw = raw
        self.events = types.SimpleNamespace(
            publish=self.publish, publish_async=self.in_thread(self.publish)
        )
        self.functions = types.SimpleNamespace(
            invoke=self.invoke, invoke_async=self.in_thread(self.invoke)
        )

    def publish(self, type, data=None, **options):
        return self.post("/api/events", {**options, "type": type, "data": data})

    def invoke(self, name, data=None, wait=True):
        """With `wait=False` it returns the execution instead of waiting for its result."""
        from urllib.parse import quote

        return self.post(
            f"/api/functions/{quote(name, safe='')}/invoke",
            data,
            {} if wait else {"prefer": "respond-async"},
        )

    @staticmethod
    def in_thread(method):
        async def run(*args, **options):
            import asyncio

            return await asyncio.to_thread(method, *args, **options)

        return run

    def post(self, path, body, headers=()):
        from urllib.error import HTTPError
        from urllib.request import Request as Outgoing, urlopen

        known = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.raw.get('token')}",
            **dict(headers),
        }
        if self.raw.get("traceparent"):
            known["traceparent"] = self.raw["traceparent"]
        try:
            with urlopen(
                Outgoing(about["url"] + path, encode(body).encode(), known, method="POST")
            ) as answer:
                text = answer.read()
                return (
                    json.loads(text)
                    if text and "json" in answer.headers.get("content-type", "")
                    else text.decode() or None
                )
        except HTTPError as answer:
            text = answer.read()
            told = (
                json.loads(text).get("error", {})
                if "json" in answer.headers.get("content-type", "")
                else {}
            )
            error = RuntimeError(told.get("message", f"{path} answered {answer.code}"))
            error.code, error.status = told.get("code"), answer.code
            raise error from None
