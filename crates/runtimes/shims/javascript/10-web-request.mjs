// The request a handler gets.

let RequestHeaders = null;
/** Headers of which the token can be read as Node's own requests have it. */
function requestHeaders(pairs) {
  RequestHeaders ??= class Headers extends globalThis.Headers {
    get authorization() {
      return this.get('authorization') ?? undefined;
    }
  };
  return new RequestHeaders(pairs);
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
  get headers() {
    return (this._headers ??= requestHeaders(this._pairs));
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
