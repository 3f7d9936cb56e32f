"""Runs the receiver of the package oteltest and prints what it took: first its port, then each
request with its headers as a line of JSON."""

import json
import logging
import sys
import time

from google.protobuf.json_format import MessageToDict
from oteltest.sink import HttpSink
from oteltest.sink.handler import RequestHandler


class Printer(RequestHandler):
    def handle_trace(self, request, headers):
        print(json.dumps({"headers": headers, "request": MessageToDict(request)}), flush=True)

    def handle_logs(self, request, headers):
        raise NotImplementedError

    def handle_metrics(self, request, headers):
        raise NotImplementedError


sink = HttpSink(Printer(), logging.getLogger("sink"), port=0)
sink.start()
while sink.httpd is None:
    time.sleep(0.01)
print(sink.httpd.server_port, flush=True)
# Whoever started this ends it by closing its input.
sys.stdin.read()
