# Run with `python -m unittest` in this folder.

import json
import pathlib
import unittest

from main import handler

EVENT = pathlib.Path(__file__).parent / "events" / "created.json"


class HandlerTest(unittest.TestCase):
    def test_the_name_of_the_event_is_greeted(self):
        event = json.loads(EVENT.read_text(encoding="utf-8"))
        self.assertEqual(handler(event, None), {"message": "Hello, Ada!"})

    def test_nobody_in_particular_is_greeted_too(self):
        self.assertEqual(handler({}, None), {"message": "Hello, world!"})


if __name__ == "__main__":
    unittest.main()
