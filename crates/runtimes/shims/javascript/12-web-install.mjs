// The light classes take the place of the real ones.

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
