// The response a handler makes.

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
  get headers() {
    return (this._headers ??= new Headers(this._pairs));
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
