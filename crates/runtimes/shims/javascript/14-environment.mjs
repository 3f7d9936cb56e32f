// Variables of the environment that each call has for itself.

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
