// What goes to the server. Frames gather in one buffer, which is written when it is full and at the
// end of each turn of the event loop.

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
