// The server, as everything else of this package asks it.

import { currentCall, type Call } from './call.ts';
import { codeOf, EvokeError, refusalOf } from './error.ts';
import { tried, type RetryOptions, type Worth } from './retry.ts';

/** A client's own settings. */
export interface ConnectionOptions {
  /** Address of the server; `EVOKE_URL`, else this machine's. */
  url?: string;
  /** `evk_...`; if not given `EVOKE_API_KEY`, where the address is that of the environment. */
  apiKey?: string;
  retry?: RetryOptions;
  /** In place of the global one. */
  fetch?: typeof fetch;
}

/** One request. */
export interface Ask {
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string | undefined>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: BodyInit | AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
  /** In place of the connection's own. */
  token?: string | undefined;
  /** Statuses that are answers, not failures, beside those below 300. */
  accept?: number[];
  /** Milliseconds until the answer begins. */
  timeout?: number | undefined;
  /** Whether it may be sent again when nobody knows what became of it; else the method says so. */
  isRepeatable?: boolean;
}

/** Methods that may be repeated when nobody knows what became of them. */
const REPEATABLE = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);
/** Answers after which another try may do better. */
const PASSING = new Set([408, 429, 502, 503, 504]);
/** Codes with which the server says that it has not begun. */
const NOT_BEGUN = new Set<string | undefined>(['API_007', 'API_010', 'EV_003', 'FN_007']);
/** Too many wrong passwords: whoever sleeps that long is better told. */
const LOCKED = 'AU_003';
/** Names the execution an answer is from: the function has run, whatever it says. */
const EXECUTION_ID = 'x-evoke-execution-id';

/** A way to the server. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #tell: () => Call;

  /** `tell` says whose requests these are. */
  constructor(options: ConnectionOptions = {}, tell: () => Call = currentCall) {
    this.#options = options;
    this.#tell = tell;
  }

  /**
   * The address of something of the server.
   *
   * @throws EvokeError for what is no path: behind the host's name it could make another one of it.
   */
  address(path: string, query: Ask['query'] = {}): URL {
    if (!path.startsWith('/'))
      throw new EvokeError(`${JSON.stringify(path)} is no path of the server: it has to begin with "/"`, { code: 'API_001' });
    const base = this.caller().url.replace(/\/+$/, '');
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.append(name, String(value));
    return url;
  }

  /**
   * Asks the server.
   *
   * @throws EvokeError for every status that is no answer, and where the server is not reached.
   */
  async send(method: string, path: string, ask: Ask = {}): Promise<Response> {
    const call = this.caller();
    const url = this.address(path, ask.query);
    const init = { method, ...this.#options.retry, ...initOf(ask, this.#headers(ask, call)) };
    if (this.#options.fetch !== undefined) Object.assign(init, { fetch: this.#options.fetch });
    if (ask.timeout !== undefined) Object.assign(init, { timeout: ask.timeout });
    let response: Response;
    try {
      response = await tried(url, init, worthOf(method, ask), call.deadlineMs);
    } catch (cause) {
      if (ask.signal?.aborted) throw cause;
      const why = reasonOf(cause);
      throw new EvokeError(`${method} ${path}: the server at ${url.origin} was not reached: ${why}`, { cause });
    }
    if (response.status < 300 || ask.accept?.includes(response.status)) return response;
    throw await refusalOf(response, `${method} ${path}`);
  }

  /** Asks the server and reads its answer as JSON; an empty one is `undefined`. */
  async json<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
    const response = await this.send(method, path, ask);
    const text = await response.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /**
   * In whose name it asks. A token, the environment's key, and what else is known of a call, are for
   * the server they are from and for no other.
   */
  caller(): Call {
    const call = this.#tell();
    const { url = call.url, apiKey } = this.#options;
    const known = url === call.url || isSameServer(url, call.url) ? call : undefined;
    return { ...known, url, token: apiKey ?? known?.token };
  }

  #headers(ask: Ask, call: Call): Headers {
    const headers = new Headers();
    const token = ask.token ?? call.token;
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    if (call.traceparent !== undefined) headers.set('traceparent', call.traceparent);
    if (call.requestId !== undefined) headers.set('x-request-id', call.requestId);
    if (ask.json !== undefined) headers.set('content-type', 'application/json');
    for (const [name, value] of Object.entries(ask.headers ?? {}))
      if (value !== undefined) headers.set(name, value);
    return headers;
  }
}

function isSameServer(one: string, other: string): boolean {
  try {
    return new URL(one).origin === new URL(other).origin;
  } catch {
    return false;
  }
}

function initOf(ask: Ask, headers: Headers): RequestInit {
  const init: RequestInit & { duplex?: string } = { headers };
  if (ask.signal !== undefined) init.signal = ask.signal;
  if (ask.json !== undefined) init.body = JSON.stringify(ask.json, exact);
  if (ask.body !== undefined) {
    init.body = ask.body as BodyInit;
    init.duplex = 'half';
  }
  return init;
}

/** Refuses what JSON would turn into `null` unseen. Times are texts already, if they are any. */
function exact(this: unknown, name: string, value: unknown): unknown {
  const given = (this as Record<string, unknown>)[name];
  const isLost = given instanceof Date ? Number.isNaN(given.getTime()) : typeof value === 'number' && !Number.isFinite(value);
  if (!isLost) return value;
  const shown = given instanceof Date ? 'an invalid Date' : String(value);
  throw new EvokeError(`${shown} cannot be sent as JSON${name === '' ? '' : `: ${JSON.stringify(name)}`}`);
}

/**
 * What is tried again: everything that the server did not begin, and what may be repeated.
 * A condition on the state makes a request one that may not: the first try may have changed it.
 * What a function answered is an answer, whatever its status.
 */
function worthOf(method: string, { headers = {}, ...ask }: Ask): Worth {
  const isConditional = headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
  const isKeyed = headers['idempotency-key'] !== undefined;
  const isRepeatable = ask.isRepeatable ?? (isKeyed || (REPEATABLE.has(method) && !isConditional));
  return async (answer, error) => {
    if (answer === undefined) return isRepeatable || isUnreached(error);
    if (!PASSING.has(answer.status) || answer.headers.has(EXECUTION_ID)) return false;
    const code = await codeOf(answer);
    return NOT_BEGUN.has(code) || (isRepeatable && code !== LOCKED);
  };
}

/** Whether nothing was listening, so that nothing can have been taken. */
function isUnreached(error: unknown): boolean {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return [code, cause?.code].some((code) => code === 'ECONNREFUSED' || code === 'ConnectionRefused');
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } };
  return cause?.message || cause?.code || message || String(error);
}

/**
 * A path with values in it, each as one segment of it.
 *
 * @throws EvokeError for values that would lead elsewhere.
 */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((all, part, at) => all + segment(values[at - 1]) + part);
}

/** Values may not be empty, `.` or `..`: addresses are simplified before they are sent. */
function segment(value: string | undefined): string {
  if (typeof value !== 'string' || value === '' || value === '.' || value === '..')
    throw new EvokeError(`${JSON.stringify(value)} cannot be a name`, { code: 'API_001' });
  return encodeURIComponent(value);
}

/** A name with slashes, as several segments. */
export function segments(name: string): string {
  return name.split('/').map(segment).join('/');
}
