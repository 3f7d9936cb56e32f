// The web classes, and how light ones stand in for them.
//
// Node's own Request and Response cost more than the rest of a call, and 30 ms when first touched. So
// handlers get light ones that are instances of the real ones and turn into them where a seldom used
// member needs it.

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
