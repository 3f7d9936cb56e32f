// What a handler gets beside its event or request.

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
  /** `{ id, email, roles }` of the user who calls a route that asks for one; else null. */
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

  /** A client of the server this function runs in, with the call's token. */
  get evoke() {
    return (this.#evoke ??= client(this.#call.raw));
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
    get db() {
      return ours('@evoke/sdk').db;
    },
    get storage() {
      return ours('@evoke/sdk').storage;
    },
    get auth() {
      return ours('@evoke/sdk').auth;
    },
  };
}
