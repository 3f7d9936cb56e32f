// What handlers of requests return, whole or in pieces.

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
    const text = head(real.status, headersOf(real));
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

/** What was fetched has been decoded: what its headers say of its encoded form is not so any more. */
function headersOf(response) {
  const pairs = [...response.headers];
  if (!response.url || !response.headers.has('content-encoding')) return pairs;
  return pairs.filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
}

function answer(call, headText, body) {
  if (call.dropped > 0 || call.partial !== null) call.endLog();
  sendResponse(call.id, headText, body);
  over(call);
}

/** Ends an event's call whose handler returned a web Response: it does not stream. */
async function respondWhole(call, response) {
  underWay.set(call.id, call);
  try {
    const text = head(response.status, headersOf(response));
    const body = new Uint8Array(await response.arrayBuffer());
    if (!call.done) answer(call, text, body);
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
