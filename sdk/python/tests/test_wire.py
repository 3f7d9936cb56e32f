"""HTTP as bytes."""

import unittest

from . import HOME
from evoke.errors import retry_after
from evoke.feed import Messages
from evoke.wire import Broken, Decoder, address_of, head_of, request_head


class Heads(unittest.TestCase):
    def test_addresses_are_taken_apart(self):
        table = [
            ("http://a.test", "a.test", 80, "/", "a.test"),
            ("https://a.test:8443/x?y=1", "a.test", 8443, "/x?y=1", "a.test:8443"),
            ("http://[::1]:9/a b", "::1", 9, "/a%20b", "[::1]:9"),
            ("https://a.test/%2F/ü?q=ä b", "a.test", 443, "/%2F/%C3%BC?q=%C3%A4%20b", "a.test"),
            ("http://a.test/x#y", "a.test", 80, "/x", "a.test"),
        ]
        for url, host, port, target, authority in table:
            with self.subTest(url):
                address, found = address_of(url)
                self.assertEqual((address.host, address.port, found), (host, port, target))
                self.assertEqual(address.authority(), authority)
        for url in ("ftp://a", "a.test/x", "http://", "file:///etc/passwd"):
            with self.subTest(url), self.assertRaises(ValueError):
                address_of(url)

    def test_nothing_breaks_out_of_a_head(self):
        for method, target, name, value in [
            ("GET", "/", "a", "b\r\nc: d"),
            ("GET", "/", "a\r\nb", "c"),
            ("GET", "/", "a:", "c"),
            ("GET", "/x HTTP/1.1\r\na: b", "a", "b"),
            ("GE T", "/", "a", "b"),
            ("", "/", "a", "b"),
        ]:
            with self.subTest(method + target + name), self.assertRaises(ValueError):
                request_head(method, target, [(name, value)])

    def test_an_answer_begins_like_one(self):
        head = head_of(b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nSet-Cookie: x")
        self.assertEqual((head.status, head.headers["A"], head.stays_open), (200, "1, 2", True))
        self.assertFalse(head_of(b"HTTP/1.1 204 \r\nConnection: Close").stays_open)
        self.assertFalse(head_of(b"HTTP/1.0 200 OK").stays_open)
        self.assertTrue(head_of(b"HTTP/1.0 200 OK\r\nConnection: keep-alive").stays_open)
        for text in (b"SSH-2.0", b"HTTP/1.1 abc", b"HTTP/1.1 200 OK\r\nno colon", b"HTTP/2 2000 x"):
            with self.subTest(text), self.assertRaises(Broken):
                head_of(text)


class Bodies(unittest.TestCase):
    def decoded(self, headers, data, size, method="GET", status=200):
        """What comes out when so many bytes come at a time."""
        decoder = Decoder(method, head_of(f"HTTP/1.1 {status} x\r\n{headers}".encode()))
        pieces = []
        for at in range(0, len(data), size):
            pieces += decoder.feed(data[at : at + size])
        return b"".join(pieces), decoder

    def test_a_body_has_its_form(self):
        chunked = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
        table = [
            ("Content-Length: 5", b"hello", b"hello"),
            ("Content-Length: 5, 5", b"hello", b"hello"),
            ("Transfer-Encoding: chunked", chunked, b"hello world"),
            ("Transfer-Encoding: Chunked\r\nContent-Length: 3", chunked, b"hello world"),
            ("Content-Length: 0", b"", b""),
        ]
        for headers, data, expected in table:
            for size in (1, 2, 3, 7, 1000):
                with self.subTest(headers, size=size):
                    body, decoder = self.decoded(headers, data, size)
                    self.assertEqual((body, decoder.is_done), (expected, True))
                    self.assertFalse(decoder.has_surplus)

    def test_what_is_not_told_ends_with_the_connection(self):
        body, decoder = self.decoded("A: b", b"abc", 2)
        self.assertEqual((body, decoder.is_done, decoder.is_open), (b"abc", False, True))
        decoder.end()
        self.assertTrue(decoder.is_done)

    def test_some_answers_have_none(self):
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            self.assertTrue(self.decoded("Content-Length: 5", b"", 1, method, status)[1].is_done)

    def test_what_is_broken_is_told(self):
        for headers, data in [
            ("Content-Length: x", b""),
            ("Content-Length: 1, 2", b""),
            ("Content-Length: -1", b""),
            ("Transfer-Encoding: chunked", b"zz\r\n"),
            ("Transfer-Encoding: chunked", b"1\r\nabc\r\n"),
        ]:
            with self.subTest(headers), self.assertRaises(Broken):
                self.decoded(headers, data, 1000)
        for headers, data in [
            ("Content-Length: 5", b"hell"),
            ("Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
        ]:
            decoder = self.decoded(headers, data, 3)[1]
            with self.subTest(headers), self.assertRaises(Broken):
                decoder.end()

    def test_a_connection_with_more_than_the_answer_is_not_used_again(self):
        self.assertTrue(self.decoded("Content-Length: 2", b"abc", 3)[1].has_surplus)
        more = b"1\r\na\r\n0\r\n\r\nmore"
        self.assertTrue(self.decoded("Transfer-Encoding: chunked", more, 99)[1].has_surplus)


class Feeds(unittest.TestCase):
    def test_messages_are_cut_out(self):
        text = (
            ": hello\n\nid: 1\nevent: change\ndata: {\ndata: ü}\n\n"
            "data:x\r\n\r\nretry: 5\n\nid: 2\rdata: y\r\r"
        ).encode()
        for size in (1, 2, 5, 1000):
            messages, found = Messages(), []
            for at in range(0, len(text), size):
                found += messages.feed(text[at : at + size])
            # The line break at the end may be half of one.
            found += messages.feed(b"\n")
            told = [(message.event, message.data, message.id) for message in found]
            expected = [("change", "{\nü}", "1"), ("message", "x", "1"), ("message", "y", "2")]
            self.assertEqual(told, expected, size)


class Waits(unittest.TestCase):
    def test_retry_after_has_two_forms(self):
        self.assertEqual(retry_after("7"), 7.0)
        self.assertIsNone(retry_after(None))
        self.assertIsNone(retry_after("soon"))
        self.assertEqual(retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), 0.0)
        self.assertGreater(retry_after("Thu, 01 Jan 2099 00:00:00 GMT"), 1e6)


class Faces(unittest.TestCase):
    def test_what_can_be_imported_is_listed(self):
        import evoke
        from evoke import aio

        listed = set(evoke.__all__)
        self.assertEqual(listed, evoke._SERVICES | set(evoke._HOMES) | {"secrets"})
        for name in listed:
            with self.subTest(name):
                self.assertIsNotNone(getattr(evoke, name))
                self.assertIsNotNone(getattr(aio, name))

    def test_the_synchronous_face_is_made_of_the_other(self):
        import subprocess
        import sys

        tool = HOME / "tools" / "sync_face.py"
        done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
