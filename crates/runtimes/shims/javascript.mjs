// The worker process of JavaScript functions, for Node (18 and later) and Bun.
//
// It speaks docs/worker-protocol.md over EVOKE_SOCKET: loads one handler, runs many calls at once
// and sends all frames made in one turn of the event loop with one write. It starts blank, so that
// the server can keep workers waiting for a function.
//
// Read it in this order: output and input (frames), Context and Call, answers, the web classes,
// console, loading, main.

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

// ---- Output ----

let out = Buffer.allocUnsafeSlow(OUT_SIZE);
let used = 0;
let spare = null;
/** Whether the end of this turn is awaited, and whether a log line of it went out already. */
let scheduled = false;
let hurried = false;
let flushedAt = 0;
/** Writes a buffer to the server and calls `done` when it may be reused. Set by `connect`. */
let transmit = () => {};

function endTurn() {
  scheduled = false;
  hurried = false;
  flush();
}

function flush() {
  if (used === 0) return;
  const full = out;
  const bytes = used;
  out = spare ?? Buffer.allocUnsafeSlow(OUT_SIZE);
  spare = null;
  used = 0;
  flushedAt = performance.now();
  transmit(full.subarray(0, bytes), () => {
    if (full.length === OUT_SIZE) spare = full;
  });
}

function room(bytes) {
  if (used + bytes > out.length) {
    flush();
    if (bytes > out.length) out = Buffer.allocUnsafeSlow(bytes);
  }
  if (!scheduled) {
    scheduled = true;
    setImmediate(endTurn);
  }
}

function frameHead(at, kind, call, payload) {
  const length = payload + 5;
  out[at] = length;
  out[at + 1] = length >>> 8;
  out[at + 2] = length >>> 16;
  out[at + 3] = length >>> 24;
  out[at + 4] = kind;
  out[at + 5] = call;
  out[at + 6] = call >>> 8;
  out[at + 7] = call >>> 16;
  out[at + 8] = call >>> 24;
}

/** Bytes that are surely enough for a text, without counting those of a short one. */
const bytesAtMost = (text) => (text.length < 4096 ? text.length * 3 : Buffer.byteLength(text));

function checkFrame(bytes) {
  if (bytes > FRAME_MAX - 64)
    throw new RangeError(
      `an answer of ${bytes} bytes is more than one frame holds (64 MiB); stream it`,
    );
}

function sendText(kind, call, text) {
  const bytes = bytesAtMost(text);
  checkFrame(bytes);
  room(FRAME_HEAD + bytes);
  const written = text.length === 0 ? 0 : out.utf8Write(text, used + FRAME_HEAD);
  frameHead(used, kind, call, written);
  used += FRAME_HEAD + written;
}

function sendBytes(kind, call, bytes) {
  room(FRAME_HEAD + bytes.length);
  frameHead(used, kind, call, bytes.length);
  out.set(bytes, used + FRAME_HEAD);
  used += FRAME_HEAD + bytes.length;
}

/** A RESPONSE: `head` is its JSON, `body` a string or bytes. */
function sendResponse(call, head, body) {
  const text = typeof body === 'string';
  const headBytes = bytesAtMost(head);
  const bodyBytes = text ? bytesAtMost(body) : body.length;
  checkFrame(headBytes + bodyBytes);
  room(FRAME_HEAD + 4 + headBytes + bodyBytes);
  let at = used + FRAME_HEAD + 4;
  const headWritten = out.utf8Write(head, at);
  out.writeUInt32LE(headWritten, at - 4);
  at += headWritten;
  if (!text) out.set(body, at);
  at += !text ? bodyBytes : body.length === 0 ? 0 : out.utf8Write(body, at);
  frameHead(used, RESPONSE, call, at - used - FRAME_HEAD);
  used = at;
}

function sendLog(call, level, line) {
  room(FRAME_HEAD + 1 + line.length * 3);
  const written = line.length === 0 ? 0 : out.utf8Write(line, used + FRAME_HEAD + 1);
  out[used + FRAME_HEAD] = level;
  frameHead(used, LOG, call, written + 1);
  used += FRAME_HEAD + 1 + written;
  if (hurried && performance.now() - flushedAt < LOG_DELAY_MS) return;
  hurried = true;
  flush();
}

// ---- Input ----

let waiting = [];
let waitingBytes = 0;
let wanted = 0;

/** Takes what the socket gave; frames that are not complete wait, uncopied, for the rest. */
function receive(chunk) {
  let data = chunk;
  if (waitingBytes > 0) {
    waiting.push(chunk);
    waitingBytes += chunk.length;
    if (waitingBytes < wanted) return;
    data = Buffer.concat(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
  }
  let at = 0;
  const end = data.length;
  while (end - at >= FRAME_HEAD) {
    const next = at + 4 + data.readUInt32LE(at);
    if (next > end) break;
    take(data[at + 4], data.readUInt32LE(at + 5), data, at + FRAME_HEAD, next);
    at = next;
  }
  if (at < end) {
    wanted = end - at < 4 ? FRAME_HEAD : 4 + data.readUInt32LE(at);
    if (wanted - 4 > FRAME_MAX) fatal(`a frame of ${wanted - 4} bytes is longer than allowed`);
    waiting = [at === 0 ? data : data.subarray(at)];
    waitingBytes = end - at;
  }
}

function take(kind, id, data, from, to) {
  switch (kind) {
    case EVENT:
      return takeEvent(id, data.utf8Slice(from, to));
    case REQUEST: {
      const body = from + 4 + data.readUInt32LE(from);
      return takeRequest(id, data.utf8Slice(from + 4, body), data.subarray(body, to));
    }
    case ACK:
      return underWay.get(id)?.acknowledged(data.readUInt32LE(from));
    case CANCEL:
      return underWay.get(id)?.cancel(JSON.parse(data.utf8Slice(from, to)).reason);
    case LOAD:
      return void load(JSON.parse(data.utf8Slice(from, to)));
    case SHUTDOWN:
      closing = true;
      return leaveWhenDone();
    default:
      fatal(`a frame of unknown kind ${kind}`);
  }
}

function fatal(message) {
  stray.log(FAULT, `evoke: ${message}`);
  flush();
  process.exit(1);
}

// ---- Calls ----

/** Calls whose handler has not returned yet. */
const underWay = new Map();
let closing = false;
let handler = null;
let about = { function: '', version: 0, url: '' };

/** One call, from its frame to its last frame. Also holds what is printed meanwhile. */
class Call {
  constructor(id, raw, http) {
    this.id = id;
    this.raw = raw;
    this.http = http;
    this.params = undefined;
    this.done = false;
    this.reason = null;
    this.controller = null;
    this.source = null;
    this.window = WINDOW;
    this.wake = null;
    this.logLeft = LOG_MAX;
    this.dropped = 0;
    this.partial = null;
    this.indent = '';
  }

  get signal() {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.reason !== null) this.controller.abort(abortError(this.reason));
    }
    return this.controller.signal;
  }

  /**
   * Nobody wants the answer. A stream is closed here; a handler is told by its signal and ends
   * the call itself.
   */
  cancel(reason) {
    if (this.done || this.reason !== null) return;
    this.reason = reason;
    const error = abortError(reason);
    this.controller?.abort(error);
    if (this.source !== null) {
      closeSource(this.source, error);
      fail(this, error);
    }
    this.wake?.();
  }

  acknowledged(bytes) {
    this.window += bytes;
    this.wake?.();
  }

  /** Resolves when the window is open or the call is over. */
  opened() {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = null;
        resolve();
      };
    });
  }

  /** Takes what was printed: a message, which may hold line breaks. */
  log(level, text) {
    if (this.done) return stray.log(level, text);
    if (this.logLeft <= 0) return void this.dropped++;
    const line =
      text.length > LINE_MAX
        ? `${text.slice(0, LINE_MAX)} … [cut after ${LINE_MAX} characters]`
        : text;
    this.logLeft -= line.length;
    sendLog(this.id, level, line);
  }

  /** Takes what was written to the standard output; a line is complete with its line break. */
  write(level, text) {
    this.partial ??= ['', '', '', ''];
    if (this.logLeft <= 0) return void this.dropped++;
    const lines = text.split('\n', 8192);
    for (let i = 0; i < lines.length - 1; i++) {
      this.log(level, this.partial[level] + lines[i]);
      this.partial[level] = '';
    }
    if (this.partial[level].length < LINE_MAX) this.partial[level] += lines.at(-1);
  }

  endLog() {
    if (this.partial !== null) {
      this.partial.forEach((rest, level) => rest !== '' && this.log(level, rest));
      this.partial = null;
    }
    if (this.dropped === 0) return;
    sendLog(
      this.id,
      WARN,
      `… ${this.dropped} more log messages were dropped: more than ${LOG_MAX >> 20} MiB was printed`,
    );
    this.dropped = 0;
  }
}

/** What is printed outside of any call: the bound counts anew each second. */
class Stray extends Call {
  #since = 0;

  log(level, text) {
    const now = performance.now();
    if (now - this.#since > 1000) {
      this.endLog();
      this.#since = now;
      this.logLeft = LOG_MAX;
    }
    super.log(level, text);
  }
}

const stray = new Stray(0, null, false);
/** The call that is under way where this is asked, or `stray`. */
function current() {
  const call = calls.getStore();
  return call === undefined || call.done ? stray : call;
}

function abortError(reason) {
  return reason === 'timeout'
    ? new DOMException('the function ran out of time', 'TimeoutError')
    : new DOMException(
        reason === 'client_gone' ? 'the client is gone' : 'the call was cancelled',
        'AbortError',
      );
}

/** What a handler gets as its second argument. Everything is read only when asked for. */
class Context {
  #call;
  #log = null;
  #evoke = null;

  constructor(call) {
    this.#call = call;
  }

  get requestId() {
    return this.#call.raw.requestId;
  }
  get executionId() {
    return this.#call.raw.executionId;
  }
  get attempt() {
    return this.#call.raw.attempt;
  }
  get trigger() {
    return this.#call.raw.trigger;
  }
  get traceparent() {
    return this.#call.raw.traceparent;
  }
  get token() {
    return this.#call.raw.token;
  }
  /** Whether the event repeats one of the log. */
  get isReplay() {
    return this.#call.raw.isReplay === true;
  }
  get isTestRun() {
    return this.#call.raw.isTestRun === true;
  }
  /** `{ size }` where the handler gets several events at once. */
  get batch() {
    return this.#call.raw.batch;
  }
  get function() {
    return { name: about.function, version: about.version };
  }
  get params() {
    return this.#call.params;
  }
  get env() {
    return process.env;
  }
  get signal() {
    return this.#call.signal;
  }
  /** When the call runs out of time, as a Date. */
  get deadline() {
    return new Date(this.#call.raw.deadlineMs);
  }
  /** Milliseconds until then, at least 0. */
  remainingMs() {
    return Math.max(0, this.#call.raw.deadlineMs - Date.now());
  }

  get log() {
    const call = this.#call;
    const at =
      (level) =>
      (...args) =>
        call.log(level, util().format(...args));
    return (this.#log ??= { debug: at(DEBUG), info: at(INFO), warn: at(WARN), error: at(FAULT) });
  }

  /** A client of the server this function runs in, with the call's token. */
  get evoke() {
    return (this.#evoke ??= client(this.#call.raw));
  }

  toJSON() {
    const { requestId, executionId, attempt, deadline, trigger, traceparent, params } = this;
    const { isReplay, isTestRun, batch } = this;
    return {
      requestId,
      executionId,
      attempt,
      deadline,
      trigger,
      function: this.function,
      traceparent,
      params,
      isReplay,
      isTestRun,
      batch,
    };
  }

  [Symbol.for('nodejs.util.inspect.custom')]() {
    return this.toJSON();
  }
}

function client(raw) {
  const post = async (path, body, headers = {}) => {
    const trace = raw.traceparent === undefined ? {} : { traceparent: raw.traceparent };
    const response = await fetch(about.url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${raw.token}`,
        ...trace,
        ...headers,
      },
      body: JSON.stringify(body ?? null),
    });
    const text = await response.text();
    let answer = text;
    if (/json/.test(response.headers.get('content-type')))
      answer = text === '' ? undefined : JSON.parse(text);
    if (response.ok) return answer;
    const error = new Error(answer?.error?.message ?? `${path} answered ${response.status}`);
    throw Object.assign(error, { code: answer?.error?.code, status: response.status });
  };
  return {
    events: {
      publish: (type, data, options = {}) => post('/api/events', { ...options, type, data }),
    },
    functions: {
      /** With `{ async: true }` it returns the execution instead of waiting for its result. */
      invoke: (name, data, options = {}) =>
        post(
          `/api/functions/${encodeURIComponent(name)}/invoke`,
          data,
          options.async ? { prefer: 'respond-async' } : {},
        ),
    },
  };
}

function takeEvent(id, text) {
  const input = JSON.parse(text);
  start(new Call(id, input.context, false), input.events ?? input.event);
}

function takeRequest(id, text, body) {
  const { context, request } = JSON.parse(text);
  const call = new Call(id, context, true);
  call.params = request.params ?? {};
  start(call, new LightRequest(request, body, call));
}

function start(call, input) {
  try {
    const value = calls.run(call, handler, input, new Context(call));
    if (typeof value?.then !== 'function') return settle(call, value);
    underWay.set(call.id, call);
    const promise = value instanceof Promise ? value : Promise.resolve(value);
    Promise.prototype.then.call(
      promise,
      (settled) => settle(call, settled),
      (error) => fail(call, error),
    );
  } catch (error) {
    fail(call, error);
  }
}

/** Ends a call with what its handler returned. */
function settle(call, value) {
  if (call.done) return;
  try {
    if (call.http) return respond(call, value);
    if (isResponse(value)) return void resultOf(call, value);
    end(call, RESULT, value === undefined ? '' : toJson(value));
  } catch (error) {
    fail(call, error);
  }
}

function toJson(value) {
  const text = JSON.stringify(value);
  if (text === undefined)
    throw new TypeError(`the handler returned a ${typeof value}, which cannot be sent as JSON`);
  return text;
}

function end(call, kind, text) {
  if (call.dropped > 0 || call.partial !== null) call.endLog();
  sendText(kind, call.id, text);
  over(call);
}

function over(call) {
  call.done = true;
  if (underWay.delete(call.id) && closing) leaveWhenDone();
}

function fail(call, error) {
  if (call.done) return;
  end(call, ERROR, JSON.stringify(describe(error)));
}

function leaveWhenDone() {
  if (underWay.size > 0) return;
  stray.endLog();
  flush();
  transmit(Buffer.alloc(0), () => process.exit(0));
}

/** An error as the protocol has it, whatever was thrown. */
function describe(error) {
  try {
    if (error === null || typeof error !== 'object' || typeof error.message !== 'string') {
      const message = typeof error === 'string' ? error : util().inspect(error);
      return {
        message: message.slice(0, STACK_MAX),
        type: String(error?.constructor?.name ?? typeof error),
        ...advice(error),
      };
    }
    const type = typeof error.name === 'string' && error.name !== '' ? error.name : 'Error';
    return {
      message: error.message.slice(0, STACK_MAX),
      stack: stackOf(error),
      type,
      ...advice(error),
    };
  } catch {
    return { message: 'the handler threw a value that cannot be described', type: typeof error };
  }
}

function advice(error) {
  const retryAfterMs = Math.round(error?.retryAfter * 1000);
  return {
    retry: error?.retry === false ? false : undefined,
    retryAfterMs: retryAfterMs >= 0 ? retryAfterMs : undefined,
  };
}

/** The stack without the frames of this file, with those of its causes. */
function stackOf(error, depth = 0) {
  if (typeof error?.stack !== 'string') return undefined;
  const own = error.stack
    .split('\n')
    .filter(
      (line) => !line.includes(import.meta.url) && !line.includes(import.meta.filename ?? '\0'),
    );
  const cause = depth < 5 ? stackOf(error.cause, depth + 1) : undefined;
  return (own.join('\n') + (cause === undefined ? '' : `\ncaused by: ${cause}`)).slice(
    0,
    STACK_MAX,
  );
}

// ---- Answers ----

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain;charset=UTF-8';
const head = (status, headers) => JSON.stringify({ status, headers });
const JSON_HEAD = head(200, [['content-type', JSON_TYPE]]);
const TEXT_HEAD = head(200, [['content-type', TEXT_TYPE]]);

/** Ends a request's call with what its handler returned. */
function respond(call, value) {
  if (value instanceof LightResponse && value._real === null) {
    const body = value._body;
    if (typeof body === 'string' || body instanceof Uint8Array)
      return answer(call, value._head(), body);
    if (body === null) return answer(call, value._head(), '');
    return void stream(call, value._head(), body);
  }
  if (isResponse(value)) {
    const real = value._real ?? value;
    const text = head(real.status, [...real.headers]);
    return real.body === null ? answer(call, text, '') : void stream(call, text, real.body);
  }
  if (typeof value === 'string') return answer(call, TEXT_HEAD, value);
  if (value === undefined || value === null) return answer(call, '{"status":204,"headers":[]}', '');
  if (value instanceof Uint8Array)
    return answer(call, head(200, [['content-type', 'application/octet-stream']]), value);
  if (isSource(value))
    return void stream(
      call,
      head(200, [
        ['content-type', 'text/event-stream'],
        ['cache-control', 'no-cache'],
      ]),
      value,
    );
  answer(call, JSON_HEAD, toJson(value));
}

function answer(call, headText, body) {
  if (call.dropped > 0 || call.partial !== null) call.endLog();
  sendResponse(call.id, headText, body);
  over(call);
}

/** Ends an event's call whose handler returned a web Response. */
async function resultOf(call, response) {
  underWay.set(call.id, call);
  try {
    const text = await response.text();
    const json = /\bjson\b/.test(response.headers.get('content-type'));
    if (json) JSON.parse(text);
    if (!call.done) end(call, RESULT, json ? text : JSON.stringify(text));
  } catch (error) {
    fail(call, error);
  }
}

const isSource = (value) =>
  typeof value?.getReader === 'function' ||
  typeof value?.[Symbol.asyncIterator] === 'function' ||
  (typeof value?.next === 'function' && typeof value[Symbol.iterator] === 'function');

/** Sends a body in pieces as they come, no faster than the server takes them. */
async function stream(call, headText, body) {
  underWay.set(call.id, call);
  try {
    const source = body.getReader?.() ?? body[Symbol.asyncIterator]?.() ?? body[Symbol.iterator]();
    call.source = source;
    if (call.reason !== null) throw abortError(call.reason);
    sendText(HEAD, call.id, headText);
    for (;;) {
      const { done, value } = await (source.read?.() ?? source.next());
      if (call.done) return;
      if (done) break;
      await sendPiece(
        call,
        typeof value === 'string' || value instanceof Uint8Array
          ? Buffer.from(value)
          : Buffer.from(`data: ${toJson(value)}\n\n`),
      );
      if (call.done) return;
    }
    end(call, END, '');
  } catch (error) {
    if (call.source !== null) closeSource(call.source, error);
    fail(call, error);
  }
}

async function sendPiece(call, bytes) {
  for (let at = 0; at < bytes.length && !call.done;) {
    if (call.window <= 0) await call.opened();
    if (call.done) return;
    const size = Math.min(bytes.length - at, call.window, CHUNK_MAX);
    call.window -= size;
    sendBytes(CHUNK, call.id, bytes.subarray(at, at + size));
    at += size;
  }
}

function closeSource(source, error) {
  const closed = source.cancel?.(error) ?? source.return?.();
  closed?.catch?.((late) => stray.log(WARN, `evoke: closing a stream failed: ${late}`));
}

// ---- Web classes ----
//
// Node's own Request and Response cost more than the rest of a call, and 30 ms when first
// touched. So handlers get light
// ones that are instances of the real ones and turn into them where a seldom used member needs it.

const real = { Request: null, Response: null };
let originals = null;

/** Loads the real classes and makes the light ones their instances. */
function link() {
  if (real.Request !== null) return;
  const original = (name) => originals[name].get?.call(globalThis) ?? originals[name].value;
  const [request, response] = ['Request', 'Response'].map((name) =>
    Object.getOwnPropertyDescriptor(globalThis, name),
  );
  real.Response = original('Response');
  real.Request = class Request extends original('Request') {
    constructor(input, init) {
      super(input instanceof LightRequest ? input._actual() : input, init);
    }
  };
  Object.setPrototypeOf(LightRequest.prototype, real.Request.prototype);
  Object.setPrototypeOf(LightResponse.prototype, real.Response.prototype);
  Object.setPrototypeOf(LightResponse, real.Response);
  // Node's getters put the real classes in place of whatever is there.
  define('Request', request.get === undefined ? request : { value: real.Request, writable: true });
  define('Response', response);
}

const define = (name, descriptor) =>
  Object.defineProperty(globalThis, name, { configurable: true, enumerable: false, ...descriptor });

const isInstance = Function.prototype[Symbol.hasInstance];
/** A Response of ours, of the runtime, or of a package that brings its own. */
const isResponse = (value) =>
  value !== null &&
  typeof value === 'object' &&
  (value instanceof LightResponse ||
    (typeof value.arrayBuffer === 'function' && typeof value.status === 'number'));

const unusable = () => new TypeError('Body is unusable: Body has already been read');

/** What both have: a body that is read at most once. `_real` takes over once it is there. */
class LightBody {
  _take() {
    if (this._used) throw unusable();
    this._used = this._body !== null;
    return this._body ?? '';
  }
  get headers() {
    return (this._headers ??= new Headers(this._pairs));
  }
  get body() {
    return this._actual().body;
  }
  get bodyUsed() {
    return this._real?.bodyUsed ?? this._used;
  }
  async text() {
    if (!this._whole()) return this._actual().text();
    const body = this._take();
    if (typeof body === 'string') return body;
    const mark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
    return Buffer.from(body.buffer, body.byteOffset, body.length).utf8Slice(mark);
  }
  async json() {
    return JSON.parse(await this.text());
  }
  async bytes() {
    if (!this._whole()) return new Uint8Array(await this._actual().arrayBuffer());
    return Uint8Array.from(Buffer.from(this._take()));
  }
  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }
  async blob() {
    return this._actual().blob();
  }
  async formData() {
    return this._actual().formData();
  }
  _whole() {
    return (
      this._real === null &&
      (this._body === null || typeof this._body === 'string' || this._body instanceof Uint8Array)
    );
  }
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return this._used ? { ...this } : this._actual();
  }
}

class LightRequest {
  constructor(request, body, call) {
    this.params = request.params ?? {};
    this._method = request.method;
    this._url = request.url;
    this._pairs = request.headers;
    this._body = body.length === 0 ? null : body;
    this._call = call;
    this._headers = null;
    this._real = null;
    this._used = false;
  }
  get method() {
    return this._method;
  }
  get url() {
    return this._url;
  }
  get signal() {
    return this._call.signal;
  }
  clone() {
    if (this.bodyUsed) throw unusable();
    if (this._real !== null) return this._real.clone();
    const { method, url, params } = this;
    return new LightRequest(
      { method, url, params, headers: [...this.headers] },
      this._body ?? '',
      this._call,
    );
  }
  _actual() {
    if (this._real !== null) return this._real;
    link();
    const { method, url, headers, signal } = this;
    const body = method === 'GET' || method === 'HEAD' ? null : this._body;
    this._real = new real.Request(url, { method, headers, signal, body });
    if (this._used) this._real.arrayBuffer().catch((error) => stray.log(WARN, `evoke: ${error}`));
    return this._real;
  }
}

/**
 * Bodies only the real class can write. Told by their tags, because touching the classes
 * themselves loads them.
 */
const MIXED = new Set(['Blob', 'File', 'FormData']);
const NULL_BODY = new Set([101, 204, 205, 304]);
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const NO_PAIRS = [],
  JSON_PAIRS = [['content-type', JSON_TYPE]],
  TEXT_PAIRS = [['content-type', TEXT_TYPE]];

const LightResponse = class Response {
  constructor(body = null, init = undefined, type = undefined) {
    this._real = null;
    this._headers = null;
    this._used = false;
    this._status = init?.status === undefined ? 200 : Number(init.status);
    this._statusText = init?.statusText ?? '';
    if (!(Number.isInteger(this._status) && this._status >= 200 && this._status <= 599))
      throw new RangeError(`a Response has a status from 200 to 599, not ${init.status}`);
    if (typeof body !== 'string') [body, type] = plain(body, type);
    else type ??= TEXT_TYPE;
    if (body !== null && NULL_BODY.has(this._status))
      throw new TypeError(`a Response with status ${this._status} has no body`);
    this._pairs = pairsOf(init?.headers, type);
    this._body = body;
    if (body !== null && MIXED.has(body[Symbol.toStringTag])) this._actual();
  }
  get status() {
    return this._status;
  }
  get statusText() {
    return this._statusText;
  }
  get ok() {
    return this.status >= 200 && this.status <= 299;
  }
  get type() {
    return 'default';
  }
  get url() {
    return '';
  }
  get redirected() {
    return false;
  }
  clone() {
    if (this.bodyUsed) throw unusable();
    return this._whole()
      ? new LightResponse(this._body, {
          status: this.status,
          statusText: this.statusText,
          headers: this.headers,
        })
      : this._actual().clone();
  }
  _head() {
    if (this._headers === null && this.status === 200) {
      if (this._pairs === JSON_PAIRS) return JSON_HEAD;
      if (this._pairs === TEXT_PAIRS) return TEXT_HEAD;
    }
    return head(this.status, this._headers === null ? this._pairs : [...this._headers]);
  }
  _actual() {
    if (this._real !== null) return this._real;
    link();
    this._real = new real.Response(this._body, {
      status: this.status,
      statusText: this.statusText,
      headers: this._headers ?? this._pairs,
    });
    this._headers = this._real.headers;
    if (this._used) this._real.arrayBuffer().catch((error) => stray.log(WARN, `evoke: ${error}`));
    return this._real;
  }
  static json(data, init) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('Value is not JSON serializable');
    return new LightResponse(text, init, JSON_TYPE);
  }
  static redirect(url, status = 302) {
    if (![301, 302, 303, 307, 308].includes(status))
      throw new RangeError(`Invalid status code ${status}`);
    return new LightResponse(null, { status, headers: { location: String(url) } });
  }
  static error() {
    link();
    return real.Response.error();
  }
  static [Symbol.hasInstance](value) {
    return (
      isInstance.call(this, value) ||
      (this === LightResponse && real.Response !== null && isInstance.call(real.Response, value))
    );
  }
};

for (const light of [LightRequest, LightResponse]) {
  const { constructor, ...shared } = Object.getOwnPropertyDescriptors(LightBody.prototype);
  Object.defineProperties(light.prototype, shared);
}
for (const name of [
  'cache',
  'credentials',
  'destination',
  'duplex',
  'integrity',
  'keepalive',
  'mode',
  'redirect',
  'referrer',
  'referrerPolicy',
]) {
  Object.defineProperty(LightRequest.prototype, name, {
    get() {
      return this._actual()[name];
    },
    configurable: true,
  });
}

/** A body that is not a string, and its type. */
function plain(body, type) {
  if (body === null || body === undefined) return [null, type];
  if (body instanceof Uint8Array) return [body, type];
  if (body instanceof ArrayBuffer) return [new Uint8Array(body), type];
  if (ArrayBuffer.isView(body))
    return [new Uint8Array(body.buffer, body.byteOffset, body.byteLength), type];
  if (body instanceof URLSearchParams)
    return [body.toString(), type ?? 'application/x-www-form-urlencoded;charset=UTF-8'];
  if (MIXED.has(body[Symbol.toStringTag]) || isSource(body)) return [body, type];
  return [String(body), type ?? TEXT_TYPE];
}

function pairsOf(headers, type) {
  if (headers === undefined || headers === null) {
    if (type === undefined) return NO_PAIRS;
    return type === JSON_TYPE
      ? JSON_PAIRS
      : type === TEXT_TYPE
        ? TEXT_PAIRS
        : [['content-type', type]];
  }
  const pairs = [];
  let typed = type === undefined;
  for (const [key, given] of typeof headers[Symbol.iterator] === 'function'
    ? headers
    : Object.entries(headers)) {
    const name = String(key).toLowerCase();
    const value = String(given).trim();
    if (!HEADER_NAME.test(name)) throw new TypeError(`"${name}" is no name of a header`);
    if (!HEADER_VALUE.test(value))
      throw new TypeError(`the value of the header "${name}" has characters a header cannot have`);
    if (name === 'content-type') typed = true;
    pairs.push([name, value]);
  }
  if (!typed) pairs.push(['content-type', type]);
  return pairs;
}

/**
 * Done as late as possible: Node 22 loads the real classes as soon as their globals are looked
 * at.
 */
function installWeb() {
  if (originals !== null) return;
  const descriptor = (name) => Object.getOwnPropertyDescriptor(globalThis, name);
  originals = { Request: descriptor('Request'), Response: descriptor('Response') };
  define('Response', { value: LightResponse, writable: true });
  define('Request', {
    get() {
      link();
      return real.Request;
    },
    set: (value) => define('Request', { value, writable: true }),
  });
  const original = globalThis.fetch;
  const value = function fetch(input, init) {
    link();
    return original(input instanceof LightRequest ? input._actual() : input, init);
  };
  define('fetch', { value: Object.assign(value, original), writable: true });
}

// ---- What is printed ----

function installConsole() {
  const print =
    (level) =>
    (...args) => {
      const call = current();
      if (call.logLeft <= 0 && call !== stray) return void call.dropped++;
      const text =
        args.length === 1 && typeof args[0] === 'string' ? args[0] : util().format(...args);
      call.log(
        level,
        call.indent === '' ? text : call.indent + text.replaceAll('\n', `\n${call.indent}`),
      );
    };
  const info = print(INFO),
    warn = print(WARN),
    error = print(FAULT);
  const group = (...label) => {
    if (label.length > 0) info(...label);
    current().indent += '  ';
  };
  Object.assign(console, {
    log: info,
    info,
    dirxml: info,
    debug: print(DEBUG),
    warn,
    error,
    group,
    groupCollapsed: group,
    groupEnd: () => {
      const call = current();
      call.indent = call.indent.slice(2);
    },
    dir: (value, options) => info(util().inspect(value, { customInspect: false, ...options })),
    assert: (held, ...args) =>
      held || error(...(args.length > 0 ? ['Assertion failed:', ...args] : ['Assertion failed'])),
    trace: (...args) => {
      const frames = stackOf(new Error()).split('\n').slice(1);
      error([`Trace: ${util().format(...args)}`, ...frames].join('\n'));
    },
  });
  let inner = null;
  const sink = {
    write: (text) => info(text.replace(/\n$/, '')),
    on() {},
    once() {},
    removeListener() {},
    listenerCount: () => 0,
  };
  for (const name of ['table', 'count', 'countReset', 'time', 'timeEnd', 'timeLog']) {
    console[name] = (...args) =>
      (inner ??= new console.Console({ stdout: sink, stderr: sink, ignoreErrors: false }))[name](
        ...args,
      );
  }
  for (const [name, level] of [
    ['stdout', INFO],
    ['stderr', FAULT],
  ])
    installStream(name, level);
}

/**
 * The real stream is never looked at: making it costs more than all the rest, and nothing may be
 * written to it.
 */
function installStream(name, level) {
  const write = (text, _, done) => {
    current().write(level, String(text));
    done();
  };
  let stream = null;
  const make = () =>
    Object.assign(new (require('node:stream').Writable)({ write }), {
      fd: level === INFO ? 1 : 2,
      isTTY: false,
    });
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => (stream ??= make()),
  });
}

/** Variables whose value is that of the call that reads them. */
const OF_CALL = { EVOKE_TOKEN: 'token', EVOKE_EXECUTION_ID: 'executionId' };

function installEnvironment() {
  const ofCall = (key) =>
    Object.hasOwn(OF_CALL, key) ? calls.getStore()?.raw[OF_CALL[key]] : undefined;
  process.env = new Proxy(process.env, {
    get: (env, key) => ofCall(key) ?? env[key],
    set: (env, key, value) => ((env[key] = value), true),
    has: (env, key) => ofCall(key) !== undefined || key in env,
    ownKeys: (env) => [
      ...new Set([...Reflect.ownKeys(env), ...Object.keys(OF_CALL).filter(ofCall)]),
    ],
    getOwnPropertyDescriptor: (env, key) => {
      const value = ofCall(key) ?? env[key];
      return value === undefined
        ? undefined
        : { value, writable: true, enumerable: true, configurable: true };
    },
  });
}

// ---- Loading ----

const EXTENSIONS = ['.mjs', '.js', '.cjs'];

/**
 * The absolute path of a handler's file without its extension, completed; `undefined` when there
 * is none.
 */
function locate(path) {
  if (bun) {
    try {
      return bun.resolveSync(path, '/');
    } catch {
      return undefined;
    }
  }
  const { statSync } = require('node:fs');
  return ['', ...EXTENSIONS]
    .map((extension) => path + extension)
    .find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

async function load(message) {
  about = message;
  try {
    for (const [name, value] of Object.entries(message.environment ?? {}))
      process.env[name] = value;
    process.env.EVOKE_URL = message.url;
    process.env.EVOKE_FUNCTION = message.function;
    process.chdir(message.code);
    installWeb();
    handler = await find(message.code, message.handler);
    sendText(LOADED, 0, '');
  } catch (error) {
    const described = describe(error);
    if (error?.plain === true) delete described.stack;
    sendText(
      LOAD_FAILED,
      0,
      JSON.stringify({ message: described.message, stack: described.stack }),
    );
  }
}

const refusal = (message) => Object.assign(new Error(message), { plain: true });

/** The function that a handler like `src/index.handler` names. */
async function find(code, name) {
  const dot = name.lastIndexOf('.');
  const file = dot < 0 ? name : name.slice(0, dot);
  const wanted = dot < 0 ? 'handler' : name.slice(dot + 1);
  const path = locate(`${code}/${file}`);
  if (path === undefined)
    throw refusal(
      `the handler "${name}" needs a file ${file} (${bun ? '.ts .mjs .js' : EXTENSIONS.join(' ')}) in ${code}; there is none`,
    );
  let module;
  try {
    module = await import(bun ? path : require('node:url').pathToFileURL(path).href);
  } catch (error) {
    throw withPlace(error, path);
  }
  return pick(module, wanted) ?? refuse(module, name, wanted, path.slice(code.length + 1));
}

function pick(module, wanted) {
  const whole = module.default;
  for (const found of [module[wanted], whole?.[wanted], whole]) {
    if (typeof found === 'function') return found;
    if (typeof found?.fetch === 'function')
      return (request, context) => found.fetch(request, context);
  }
  return undefined;
}

function refuse(module, name, wanted, file) {
  const inner =
    module.default !== null && typeof module.default === 'object'
      ? Object.keys(module.default)
      : [];
  const names = [...new Set([...Object.keys(module), ...inner])].filter(
    (key) => key !== 'module.exports' && key !== '__esModule',
  );
  if (names.length === 0)
    throw refusal(
      `${file} exports nothing; the handler "${name}" needs it to export a function "${wanted}"`,
    );
  const near = names
    .map((key) => [distance(key.toLowerCase(), wanted.toLowerCase()), key])
    .sort((a, b) => a[0] - b[0])[0];
  const hint = near[0] <= Math.max(2, wanted.length / 3) ? `; did you mean "${near[1]}"?` : '';
  const kind =
    wanted in module ? ` is a ${typeof module[wanted]}, not a function,` : ' is not exported';
  throw refusal(`"${wanted}"${kind} by ${file}, which exports ${names.join(', ')}${hint}`);
}

/** How many letters differ (Levenshtein). */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** Says where a syntax error is: Node keeps that to itself, Bun has it in fields. */
function withPlace(error, path) {
  const parts = error?.errors ?? [error];
  if (parts[0]?.position) {
    const lines = parts.map(
      ({ message, position: at }) =>
        `${at.file}:${at.line}:${at.column}: ${message}\n  ${at.lineText}`,
    );
    return Object.assign(new SyntaxError(parts[0].message), { stack: lines.join('\n') });
  }
  if (bun || !(error instanceof SyntaxError)) return error;
  const check = require('node:child_process').spawnSync(process.execPath, ['--check', path], {
    encoding: 'utf8',
    timeout: 5000,
  });
  const place = check.stderr?.split('\n    at ')[0].trim();
  return place ? Object.assign(new SyntaxError(error.message), { stack: place }) : error;
}

// ---- Main ----

/** An error nobody caught ends its call. Without one, nobody knows what state the worker is in. */
function uncaught(error, origin) {
  const call = calls.getStore();
  if (call !== undefined && !call.done) return fail(call, error);
  const described = describe(error);
  stray.log(
    FAULT,
    `${origin === 'unhandledRejection' ? 'Unhandled rejection' : 'Uncaught exception'}: ${described.stack ?? described.message}`,
  );
  if (call !== undefined || origin === 'unhandledRejection') return;
  flush();
  process.exit(1);
}

function connectNode(path) {
  const socket = require('node:net').connect(path);
  socket.on('data', receive);
  socket.on('error', () => process.exit(1));
  socket.on('close', () => process.exit(0));
  transmit = (bytes, done) => socket.write(bytes, done);
}

async function connectBun(path) {
  const backlog = [];
  const push = (socket, entry) => {
    entry.at += socket.write(entry.bytes.subarray(entry.at));
    if (entry.at === entry.bytes.length) entry.done();
    return entry.at === entry.bytes.length;
  };
  const drain = (socket) => {
    while (backlog.length > 0 && push(socket, backlog[0])) backlog.shift();
  };
  const data = (_, chunk) => receive(chunk);
  const socket = await Bun.connect({
    unix: path,
    socket: { data, drain, close: () => process.exit(0), error: () => process.exit(1) },
  });
  transmit = (bytes, done) => {
    const entry = { bytes, done, at: 0 };
    if (backlog.length > 0 || !push(socket, entry)) backlog.push(entry);
  };
}

async function main() {
  const path = process.env.EVOKE_SOCKET;
  delete process.env.EVOKE_SOCKET;
  if (path === undefined) throw new Error('EVOKE_SOCKET is not set: this file is started by evoke');
  await (bun ? connectBun(path) : connectNode(path));
  const version = bun ? bun.version : process.versions.node;
  sendText(
    HELLO,
    0,
    JSON.stringify({ protocol: 1, runtime: bun ? 'bun' : 'node', version, pid: process.pid }),
  );
  flush();
  installConsole();
  installEnvironment();
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', (reason) => uncaught(reason, 'unhandledRejection'));
  process.on('exit', () => {
    stray.endLog();
    flush();
  });
  // A worker that waits for its function has time to load what a first request needs.
  setTimeout(() => {
    if (about.code !== undefined) return;
    installWeb();
    link();
  }, 50).unref();
}

await main();
