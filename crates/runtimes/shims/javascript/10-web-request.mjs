// The request a handler gets.

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
