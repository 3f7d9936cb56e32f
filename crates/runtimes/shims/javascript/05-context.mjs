// What a handler gets beside its event or request.

/** What the packages are told of a call. */
function told({ raw: { token, traceparent, requestId, deadlineMs } }) {
  return { url: about.url, token, traceparent, requestId, deadlineMs };
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
  /** Who calls a route that asks for a user: `{ id, email, email_verified, roles, issuer }`; else null. */
  get user() {
    return this.#call.raw.user ?? null;
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

  /** The services of the server this function runs in, in the name of this call. */
  get evoke() {
    return (this.#evoke ??= ours('@evoke/sdk').servicesOf(told(this.#call)));
  }

  toJSON() {
    const { requestId, executionId, attempt, deadline, trigger, traceparent, params } = this;
    const { isReplay, isTestRun, batch, user } = this;
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
      user,
    };
  }

  [Symbol.for('nodejs.util.inspect.custom')]() {
    return this.toJSON();
  }
}
