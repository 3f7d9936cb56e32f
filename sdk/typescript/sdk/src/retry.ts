// Requests that are tried again.

import { retryAfterSeconds } from './error.ts';

/** How a request is tried again. */
export interface RetryOptions {
  /** Tries after the first; 3. */
  retries?: number;
  /** Milliseconds before the first of them at most, doubled each time; 200. */
  initial?: number;
  /** Milliseconds between two tries at most; 10,000. */
  max?: number;
  /** A `Retry-After` of more milliseconds is not waited for; 60,000. */
  retryAfterMax?: number;
  /** Milliseconds each try may take until its answer begins; 30,000, 0 for no limit. */
  timeout?: number;
}

/** Where to, or the whole request. */
export type Input = string | URL | Request;

/** What `http.fetch` takes: that of `fetch`, and how to try again. */
export type FetchOptions = RequestInit & RetryOptions & { fetch?: typeof fetch };

/** Whether an answer or a failure is worth another try. The answer may be looked at, not read. */
export type Worth = (answer: Response | undefined, error: unknown) => boolean | Promise<boolean>;

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * `fetch` that tries again what is safe to repeat: idempotent methods, and whatever has an
 * `Idempotency-Key`. Waits are exponential with full jitter; `Retry-After` is respected. The last
 * answer is returned whatever its status, the last failure thrown. No try begins after `until`.
 */
export function retryingFetch(input: Input, options: FetchOptions = {}, until?: number): Promise<Response> {
  const given = requestOf(input);
  const method = (options.method ?? given?.method ?? 'GET').toUpperCase();
  const headers = new Headers(options.headers ?? given?.headers);
  const isSafe = IDEMPOTENT.has(method) || headers.has('idempotency-key');
  return tried(input, options, (answer) => isSafe && (answer === undefined || TRANSIENT.has(answer.status)), until);
}

/** The request that was given in place of an address. */
export function requestOf(input: Input): Request | undefined {
  return typeof input === 'object' && 'method' in input ? input : undefined;
}

/** Sends a request until its answer is not worth another try. `until` is an instant. */
export async function tried(
  input: Input,
  options: FetchOptions,
  worth: Worth,
  until: number = Infinity,
): Promise<Response> {
  const { retries = 3, initial = 200, max = 10_000, retryAfterMax = 60_000 } = options;
  const given = requestOf(input);
  const signal = (options.signal === undefined ? given?.signal : options.signal) ?? null;
  const attempts = isReplayable(options.body ?? given?.body) ? retries : 0;
  for (let attempt = 0; ; attempt++) {
    let answer: Response | undefined;
    let failure: unknown;
    try {
      answer = await once(input, { ...options, signal });
    } catch (error) {
      failure = error;
      if (signal?.aborted) throw error;
    }
    const wait = backoff(attempt, { initial, max }, Math.random());
    const asked = (answer && retryAfterSeconds(answer, Date.now()) || 0) * 1000;
    const isOver = attempt >= attempts || asked > retryAfterMax;
    const delay = Math.max(wait, asked);
    if (isOver || Date.now() + delay >= until || !(await worth(answer, failure))) {
      if (answer === undefined) throw failure;
      return answer;
    }
    await answer?.body?.cancel();
    await sleep(delay, signal);
  }
}

/** Milliseconds before the next try: anything up to a bound that doubles each time. */
export function backoff(
  attempt: number,
  { initial, max }: { initial: number; max: number },
  random: number,
): number {
  return random * Math.min(max, initial * 2 ** Math.min(attempt, 30));
}

/** Waits, unless the signal is aborted first. */
export function sleep(milliseconds: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const wake = () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** One try, which ends with its time. The answer's body may take as long as it likes. */
async function once(input: Input, options: FetchOptions): Promise<Response> {
  const { timeout = 30_000, retries, initial, max, retryAfterMax, fetch: given, ...init } = options;
  const send = given ?? globalThis.fetch;
  if (timeout === 0) return send(input, init);
  const controller = new AbortController();
  const signal = init.signal ? either(init.signal, controller) : controller.signal;
  const late = new DOMException(`no answer within ${timeout} ms`, 'TimeoutError');
  const timer = setTimeout(() => controller.abort(late), timeout);
  try {
    return await send(input, { ...init, signal });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A signal for both. It lasts as long as the answer's body: a caller who gives up while he reads it
 * stops that too.
 */
function either(outer: AbortSignal, own: AbortController): AbortSignal {
  if (typeof AbortSignal.any === 'function') return AbortSignal.any([outer, own.signal]);
  // Node before 18.17 knows no other way than to listen, as long as the outer one is there.
  if (outer.aborted) own.abort(outer.reason);
  outer.addEventListener('abort', () => own.abort(outer.reason), { once: true });
  return own.signal;
}

/** Whether a body can be sent twice. */
function isReplayable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true;
  const isStream = typeof (body as ReadableStream).getReader === 'function';
  return !isStream && typeof (body as AsyncIterable<unknown>)[Symbol.asyncIterator] !== 'function';
}
