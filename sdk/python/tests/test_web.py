"""Middleware: what goes around a handler, whichever kind it is."""

import asyncio
import json
import unittest
from types import SimpleNamespace
from unittest import mock

from . import HOME  # noqa: F401
from evoke import Request, Response, auth, cors, middleware, rate_limit, validate
from evoke._web.schema import Schema
from evoke.answers import User
from evoke.errors import EvokeError


def request(method="GET", headers=(), body=b"", url="http://x.test/"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    return Request({"method": method, "url": url, "headers": pairs}, body)


def told(response):
    return json.loads(response.body)["error"]


def headers(response):
    return {name.lower(): value for name, value in response.headers}


class Lists(unittest.TestCase):
    def test_the_first_is_outermost(self):
        def mark(letter):
            def step(request, context, next):
                response = next()
                response.headers.append(("x-way", letter))
                return response

            return step

        handler = middleware([mark("a"), mark("b"), lambda request, context: {"ok": context}])
        response = handler(request(), 7)
        self.assertEqual(response.body, {"ok": 7})
        self.assertEqual([value for _, value in response.headers], ["b", "a"])

    def test_on_the_event_loop(self):
        async def step(request, context, next):
            request.user = "Ada"
            response = await next(request)
            response.headers.append(("x", "y"))
            return response

        async def answer(request):
            return f"hello {request.user}"

        handler = middleware([cors(), step, answer])
        self.assertTrue(asyncio.iscoroutinefunction(handler))
        response = asyncio.run(handler(request(headers={"origin": "http://o.test"})))
        self.assertEqual((response.body, response.status), ("hello Ada", 200))
        self.assertEqual(headers(response)["access-control-allow-origin"], "*")

    def test_mistakes_are_told_when_the_list_is_made(self):
        async def waiting(request, context, next):
            return await next()

        with self.assertRaisesRegex(TypeError, "waiting has to be that too"):
            middleware([waiting, lambda request: 1])
        for broken in ([cors()], [1]):
            with self.assertRaisesRegex(TypeError, "the last of the list"):
                middleware(broken)

    def test_a_handler_takes_what_it_wants(self):
        for handler, expected in [
            (lambda: (), ()),
            (lambda request: (request.method,), ("GET",)),
            (lambda request, context: (request.method, context), ("GET", 7)),
            (lambda request, context, more=3: (context, more), (7, 3)),
            (lambda request, *, more=3: (request.method, more), ("GET", 3)),
            (lambda *both, **more: (both[1], more), (7, {})),
        ]:
            self.assertEqual(middleware([handler])(request(), 7), expected)
        for handler in (lambda a, b, c: 1, lambda request, *, more: 1):
            with self.assertRaisesRegex(TypeError, r"called with \(event, context\)"):
                middleware([handler])

    def test_what_handlers_return_stays_what_it_was(self):
        for value, status, body in [(None, 204, None), (("x", 201), 201, "x"), ({}, 200, {})]:
            answer = mock.Mock(return_value=value)
            response = middleware([cors(), answer])(request())
            self.assertEqual((response.status, response.body), (status, body))


class Cors(unittest.TestCase):
    def answer(self, step, origin=None, **more):
        given = {"origin": origin, **more.pop("headers", {})}
        given = {name: value for name, value in given.items() if value is not None}
        return headers(middleware([step, lambda request: "x"])(request(headers=given, **more)))

    def test_only_those_that_are_named(self):
        step = cors(["http://a.test", "http://b.test"], credentials=True, expose=["x-y"])
        seen = self.answer(step, "http://b.test")
        self.assertEqual(seen["access-control-allow-origin"], "http://b.test")
        self.assertEqual(seen["access-control-allow-credentials"], "true")
        self.assertEqual(seen["vary"], "Origin")
        self.assertEqual(self.answer(step, "http://c.test"), {"vary": "Origin"})
        self.assertEqual(
            self.answer(cors("http://a.test"), "http://a.test.evil"), {"vary": "Origin"}
        )
        self.assertEqual(self.answer(cors()), {})
        with self.assertRaises(ValueError):
            cors(credentials=True)

    def test_an_answer_that_is_given_to_everybody_stays_as_it_is(self):
        own = {"Vary": "Accept", "Access-Control-Allow-Origin": "*", "X-Own": "1"}
        shared = Response("x", headers=own)
        step = cors(["http://a.test", "http://b.test"], credentials=True)
        handler = middleware([step, lambda request: shared])
        for origin in ("http://a.test", "http://b.test"):
            response = handler(request(headers={"origin": origin}))
            seen = headers(response)
            self.assertEqual(len(seen), len(response.headers))
            self.assertEqual((seen["vary"], seen["x-own"]), ("Accept, Origin", "1"))
            self.assertEqual(seen["access-control-allow-origin"], origin)
        self.assertEqual(shared.headers, list(own.items()))
        outer = middleware([step, step, lambda request: shared])
        self.assertEqual(headers(outer(request()))["vary"], "Accept, Origin")

    def test_a_preflight_is_answered(self):
        asks = {
            "origin": "http://a.test",
            "access-control-request-method": "PUT",
            "access-control-request-headers": "x-token",
        }
        response = middleware([cors(), lambda request: 1 / 0])(request("OPTIONS", asks))
        seen = headers(response)
        self.assertEqual(response.status, 204)
        self.assertIn("PUT", seen["access-control-allow-methods"])
        self.assertEqual(seen["access-control-allow-headers"], "x-token")


class Auth(unittest.TestCase):
    def test_who_calls(self):
        def verify(header):
            if header != "Bearer good":
                raise EvokeError("it does not hold", code="AU_002", status=401)
            return User({"id": "u", "roles": ["editor"]})

        plain = middleware([auth(), lambda request: request.user.id])
        anyone = middleware([auth(required=False), lambda request: str(request.user)])
        admin = middleware([auth(roles=["admin"]), lambda request: "in"])
        maybe = middleware([auth(required=False, roles=["admin"]), lambda request: "in"])
        with mock.patch("evoke._sync.auth.Auth.verify_token", side_effect=verify):
            good, bad = ({"authorization": f"Bearer {word}"} for word in ("good", "bad"))
            self.assertEqual(plain(request(headers=good)).body, "u")
            for handler, given, status, code in [
                (plain, {}, 401, "AU_002"),
                (plain, bad, 401, "AU_002"),
                (anyone, bad, 401, "AU_002"),
                (anyone, {}, 200, None),
                (admin, good, 403, "AU_007"),
                (maybe, {}, 401, "AU_002"),
                (maybe, good, 403, "AU_007"),
            ]:
                response = handler(request(headers=given))
                self.assertEqual(response.status, status)
                if code is not None:
                    self.assertEqual(told(response)["code"], code)
            self.assertIn("admin", told(admin(request(headers=good)))["message"])

    def test_roles_are_a_list(self):
        with self.assertRaisesRegex(TypeError, r"\['admin'\]"):
            auth(roles="admin")

    def test_whom_the_server_has_verified(self):
        context = SimpleNamespace(user={"id": "u", "roles": ["admin"]})
        handler = middleware([auth(roles=["admin"]), lambda request: request.user.id])
        self.assertEqual(handler(request(), context).body, "u")

    def test_a_server_that_does_not_answer_is_no_refusal(self):
        error = EvokeError("gone", code="unreachable")
        with mock.patch("evoke._sync.auth.Auth.verify_token", side_effect=error):
            with self.assertRaises(EvokeError):
                middleware([auth(), lambda request: 1])(request(headers={"authorization": "x"}))


class Limits(unittest.TestCase):
    def test_so_many_and_then_wait(self):
        now = 0.0
        step = rate_limit(max_requests=3, window="1m", clock=lambda: now)
        handler = middleware([step, lambda request: "x"])

        def status(key=""):
            return handler(request(headers={"x-forwarded-for": key})).status

        self.assertEqual([status() for _ in range(4)], [200, 200, 200, 429])
        self.assertEqual(status("1.2.3.4"), 200)
        response = handler(request())
        self.assertEqual(
            (headers(response)["retry-after"], told(response)["code"]), ("20", "FN_007")
        )
        now = 20.0
        self.assertEqual([status(), status()], [200, 429])
        now = 1000.0
        self.assertEqual([status() for _ in range(4)], [200, 200, 200, 429])

    def test_no_address_is_somebodys(self):
        known = request(headers={"x-forwarded-for": "1.2.3.4"})
        known.user = User({"id": "u"})
        stranger = request(headers={"x-forwarded-for": "1.2.3.4, user u"})
        handler = middleware([rate_limit(max_requests=1, window="1h"), lambda request: "x"])
        self.assertEqual([handler(one).status for one in (known, stranger, known)], [200, 200, 429])

    def test_a_limit_is_one(self):
        for options in ({"max_requests": 0}, {"max_requests": 1, "window": "soon"}):
            with self.assertRaises(ValueError):
                rate_limit(**options)


class Validation(unittest.TestCase):
    def test_a_body_that_fits_is_given_on(self):
        handler = middleware([validate({"type": "object"}), lambda request: request.valid])
        self.assertEqual(handler(request("POST", body={"a": 1})).body, {"a": 1})
        for body in (b"{", b"", b"[]"):
            response = handler(request("POST", body=body))
            self.assertEqual((response.status, told(response)["code"]), (422, "API_001"))
            self.assertEqual(len(told(response)["problems"]), 1)

    def test_other_schemas(self):
        def positive(value):
            if value < 1:
                raise ValueError("must be positive")
            return value * 10

        handler = middleware([validate(positive), lambda request: {"n": request.valid}])
        self.assertEqual(handler(request("POST", body=2)).body, {"n": 20})
        problem = told(handler(request("POST", body=0)))["problems"][0]
        self.assertEqual(problem, {"field": "", "message": "must be positive"})
        with self.assertRaises(TypeError):
            validate(7)

    def test_everything_that_is_wrong_is_told(self):
        schema = Schema(
            {
                "type": "object",
                "required": ["email", "age"],
                "additionalProperties": False,
                "properties": {
                    "email": {"type": "string", "format": "email"},
                    "age": {"type": "integer", "minimum": 18},
                    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                },
            }
        )
        self.assertEqual(schema.problems({"email": "a@b.c", "age": 18.0, "tags": ["a"]}), [])
        found = schema.problems({"emial": 1, "age": 3, "tags": [1, 1]})
        self.assertEqual(
            {one["field"]: one["message"] for one in found},
            {
                "email": "is missing",
                "emial": "is not known here; did you mean 'email'?",
                "age": "must be at least 18",
                "tags": "has an item twice",
                "tags[0]": "must be a text",
                "tags[1]": "must be a text",
            },
        )

    def test_each_keyword(self):
        ref = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
        table = [
            ({"type": ["string", "null"]}, [None, "x"], [1, []]),
            ({"type": "number"}, [1, 1.5], [True, "1"]),
            ({"type": "integer"}, [1, 2.0], [1.5, True]),
            ({"enum": [1, "a"]}, [1, 1.0, "a"], [True, "b"]),
            ({"const": {"a": [1]}}, [{"a": [1]}], [{"a": [True]}, {}]),
            ({"exclusiveMinimum": 0, "maximum": 9}, [1, 9, "x"], [0, 10]),
            ({"multipleOf": 0.1}, [0.3, 1], [0.25]),
            ({"minLength": 2, "maxLength": 3}, ["ab", 7], ["a", "abcd"]),
            ({"pattern": "^a+$"}, ["aa"], ["ab", "aa\n"]),
            ({"pattern": r"^[$]\$[^\]$]$"}, ["$$a"], ["$$$", "a"]),
            ({"patternProperties": {"^x$": False}}, [{"x\n": 1}], [{"x": 1}]),
            ({"uniqueItems": True}, [[1, True, "1", [1], {"a": 1}, None, []]], [[1, 1.0]]),
            (
                {"uniqueItems": True},
                [[0.1, False, 0]],
                [[{"a": 1, "b": [2.0]}, {"b": [2], "a": 1}]],
            ),
            ({"multipleOf": 5}, [10, 10**400, 1e22], [11, 10**400 + 1, 7.5]),
            ({"multipleOf": 0.5}, [1.5], [1.25, 10**400, float("inf")]),
            ({"type": "integer"}, [10**400], [float("inf")]),
            ({"format": "date-time"}, ["2026-12-01T09:00:00Z"], ["2026-12-01"]),
            ({"format": "date"}, ["2028-02-29", 7], ["2026-02-29", "2026-2-01", "٢٠٢٦-01-01"]),
            (
                {"format": "date-time"},
                ["2016-12-31t23:59:60.5+01:00"],
                ["2026-02-30T09:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T09:00:00Z\n"],
            ),
            ({"format": "time"}, ["09:00:00", "09:00:00Z"], ["25:00:00", "09:60:00Z"]),
            ({"format": "email"}, ["a@b.c"], ["a@b", "@b.c", "a@" + "." * 100_000 + " "]),
            ({"format": "hostname"}, ["a-b.test"], ["a_b", "-a.test", "a..b", ""]),
            ({"format": "ipv6"}, ["::1", "2001:db8::1"], ["1.2.3.4", ":::", "::1%eth0", "\0"]),
            ({"format": "uri"}, ["http://a.test/?b", "urn:x"], ["/a", "http://a b"]),
            ({"format": "uuid"}, ["01234567-89ab-cdef-0123-456789abcdef"], ["1"]),
            ({"format": "ipv4"}, ["1.2.3.4"], ["1.2.3", "1.2.3.256", "1.2.3.4."]),
            ({"minItems": 1, "prefixItems": [{"const": 1}]}, [[1, "x"]], [[], [2]]),
            ({"contains": {"const": 3}}, [[1, 3]], [[1]]),
            ({"anyOf": [{"type": "null"}, {"minimum": 5}]}, [None, 7], [3]),
            ({"oneOf": [{"minimum": 5}, {"maximum": 9}]}, [1, 12], [7]),
            ({"allOf": [{"minimum": 5}, {"maximum": 9}]}, [7], [1, 12]),
            ({"not": {"const": 1}}, [2], [1]),
            ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}], [{"abc": 1}]),
            ({"patternProperties": {"^x": {"type": "null"}}}, [{"xa": None, "b": 1}], [{"xa": 1}]),
            (ref, [[1, 2]], [["a"]]),
            ({"items": False}, [[]], [[1]]),
        ]
        for schema, good, bad in table:
            read = Schema(schema)
            for value in good:
                self.assertEqual(read.problems(value), [], (schema, value))
            for value in bad:
                self.assertNotEqual(read.problems(value), [], (schema, value))

    def test_a_schema_that_checks_nothing_is_refused(self):
        for schema, said in [
            ({"propertys": {}}, "did you mean 'properties'"),
            ({"type": "int"}, "did you mean 'integer'"),
            ({"items": {"minimun": 1}}, "schema.items.minimun"),
            ({"$ref": "http://x.test"}, "elsewhere"),
            ({"allOf": [7]}, "a schema is an object"),
            ({"format": "datetime"}, "did you mean 'date-time'"),
            ({"items": {"$ref": "#/$defs/n"}}, "schema.items.*nothing at '#/\\$defs/n'"),
            ({"$ref": "#n", "$defs": {"n": {}}}, "nothing at '#n'"),
            ({"$ref": "#/required", "required": ["a"]}, "a schema is an object"),
            ({"$ref": "#/default", "default": {"typ": "x"}}, "did you mean 'type'"),
            ({"pattern": "("}, "no expression"),
            ({"patternProperties": {"[": {}}}, "no expression"),
            ({"minimum": "1"}, "schema.minimum: '1' is no bound"),
            ({"multipleOf": 0}, "schema.multipleOf: 0 is no bound"),
        ]:
            with self.assertRaisesRegex(ValueError, said):
                validate(schema)

    def test_hostile_bodies_are_refused(self):
        deep, number = b"[" * 100_000, b"1" + b"0" * 400
        nested = b"[" * 300 + b"]" * 300
        unique = {"uniqueItems": True}
        for check, body in [
            (validate(unique), deep),
            (validate(unique), b"[NaN]"),
            (validate(unique), b'{"a": -Infinity}'),
            (validate(unique), b"[%b, %b]" % (nested, nested)),
            (validate({"type": "string"}), number),
            (validate({"multipleOf": 0.1}), number),
            (validate(lambda value: float(value)), number),
        ]:
            with self.subTest(body[:20]):
                response = middleware([check, lambda request: "x"])(request("POST", body=body))
                self.assertEqual((response.status, told(response)["code"]), (422, "API_001"))

    def test_many_items_are_compared_in_time(self):
        # One by one that would be two billion comparisons; numbers of one hash are as slow in a set.
        items = [number * (2**61 - 1) for number in range(60_000)]
        self.assertEqual(Schema({"uniqueItems": True}).problems(items), [])

    def test_references_may_go_round(self):
        tree = {"items": {"$ref": "#/$defs/a~1%25"}}
        schema = Schema(
            {"$defs": {"a/%": {"anyOf": [tree, {"type": "null"}]}}, "$ref": "#/$defs/a~1%25"}
        )
        self.assertEqual(schema.problems([[], [None]]), [])

    def test_hostile_bodies_end(self):
        schema = Schema({"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"})
        deep = []
        for _ in range(500):
            deep = [deep]
        self.assertIn("too deep", schema.problems(deep)[0]["message"])
        self.assertEqual(len(Schema({"items": {"type": "null"}}).problems([1] * 1000)), 50)


class Answers(unittest.TestCase):
    def test_times_are_in_utc_and_in_order(self):
        from datetime import date, datetime, timedelta, timezone

        from evoke.values import body_of

        east = timezone(timedelta(hours=1))
        for value, expected in [
            (datetime(2026, 1, 1, tzinfo=timezone.utc), b'"2026-01-01T00:00:00.000Z"'),
            (datetime(2026, 1, 1, 0, 0, 0, 1500, east), b'"2025-12-31T23:00:00.001500Z"'),
            (date(2026, 1, 1), b'"2026-01-01"'),
        ]:
            self.assertEqual(body_of(value), expected)
        self.assertTrue(body_of(datetime(2026, 1, 1)).endswith(b'Z"'))

    def test_a_response_cannot_be_split(self):
        with self.assertRaises(ValueError):
            Response("x", headers={"a": "b\r\nc: d"}).head(None)


if __name__ == "__main__":
    unittest.main()
