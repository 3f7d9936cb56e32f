"""The worker process of Python functions, for Python 3.10 and later.

It speaks docs/worker-protocol.md over EVOKE_SOCKET: loads one handler and runs many calls at once,
`async def` handlers on the event loop, `def` handlers on threads. It starts blank, so that the
server can keep workers waiting for a function.

Its parts are the files of this folder. They are joined in the order of their names to the one file
that is run, since each further file would cost a start its share, so all see what any of them
names.
"""

import contextvars
import json
import os
import socket
import struct
import sys
import threading
import time
import types
from collections import deque

LOAD, EVENT, REQUEST, CANCEL, SHUTDOWN, ACK = range(0x01, 0x07)
HELLO, LOADED, LOAD_FAILED, RESULT, ERROR, HEAD, CHUNK, END, RESPONSE, LOG = range(0x81, 0x8B)
DEBUG, INFO, WARN, FAULT = range(4)

FRAME = struct.Struct("<IBI")
U32 = struct.Struct("<I")
FRAME_MAX = 64 << 20
READ_SIZE = 256 << 10
# A buffer of this size goes out before the turn ends.
OUT_SIZE = 128 << 10
# Bytes of a call's CHUNKs that may be on the way without an ACK, and of one CHUNK.
WINDOW = 1 << 20
CHUNK_MAX = 256 << 10
# Characters of one log line, and of all lines of one call (outside of calls: of one second).
LINE_MAX = 64 << 10
LOG_MAX = 1 << 20
STACK_MAX = 64 << 10
# A log line written this long after the last write goes out at once, because the handler may be
# about to block.
LOG_DELAY = 0.002
# How long a thread that has more calls to run keeps answers back, to send them together.
GATHER = 0.0005
# How often calls that wait for a thread are looked after, and how many threads there may be.
WATCH = 0.002
THREADS_MAX = 1024

decode = json.JSONDecoder().raw_decode
now = time.perf_counter
