// The worker process of JavaScript functions, for Node (18 and later) and Bun.
//
// It speaks docs/worker-protocol.md over EVOKE_SOCKET: loads one handler, runs many calls at once
// and sends all frames made in one turn of the event loop with one write. It starts blank, so that
// the server can keep workers waiting for a function.
//
// Its parts are the files of this folder. They are joined in the order of their names to the one
// file that is run, since each further file would cost a start its share, so all see what any of
// them names.

import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const bun = globalThis.Bun;
const calls = new AsyncLocalStorage();
/** Loaded when first used: on Bun it costs as much as everything else of the start. */
const util = () => require('node:util');

const LOAD = 0x01,
  EVENT = 0x02,
  REQUEST = 0x03,
  CANCEL = 0x04,
  SHUTDOWN = 0x05,
  ACK = 0x06;
const HELLO = 0x81,
  LOADED = 0x82,
  LOAD_FAILED = 0x83,
  RESULT = 0x84,
  ERROR = 0x85,
  HEAD = 0x86,
  CHUNK = 0x87,
  END = 0x88;
const RESPONSE = 0x89,
  LOG = 0x8a;
const DEBUG = 0,
  INFO = 1,
  WARN = 2,
  FAULT = 3;

/** Bytes of a frame before its payload: length, kind, call. */
const FRAME_HEAD = 9;
const FRAME_MAX = 64 << 20;
/** Frames gather in a buffer of this size; a full one goes out before the turn ends. */
const OUT_SIZE = 128 << 10;
/** Bytes of a call's CHUNKs that may be on the way without an ACK, and of one CHUNK. */
const WINDOW = 1 << 20;
const CHUNK_MAX = 256 << 10;
/** Characters of one log line, and of all lines of one call (outside of calls: of one second). */
const LINE_MAX = 64 << 10;
const LOG_MAX = 1 << 20;
const STACK_MAX = 64 << 10;
/**
 * The first log line of a turn goes out at once, because the handler may be about to block; so
 * does one that comes this long after the last write.
 */
const LOG_DELAY_MS = 2;
