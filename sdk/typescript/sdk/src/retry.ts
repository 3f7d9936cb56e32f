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

/** What `http.fetch` takes: that of `fetch`, and how to try again. */
export type FetchOptions = RequestInit & RetryOptions & { fetch?: typeof fetch };

/** Whether an answer or a failure is worth another try. */
export type Worth = (answer: Response | undefined, error: unknown) => boolean;

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * `fetch` that tries again what is safe to repeat: idempotent methods, and whatever has an
 * `Idempotency-Key`. Waits are exponential with full jitter; `Retry-After` is respected. The last
 * answer is returned whatever its status, the last failure thrown.
 */
export function retryingFetch(url: string | URL, options: FetchOptions = {}): Promise<Response> {
  const method = (options.method ?? 'GET').toUpperCase();
  const isSafe = IDEMPOTENT.has(method) || new Headers(options.headers).has('idempotency-key');
  return tried(url, options, (answer) => isSafe && (answer === undefined || TRANSIENT.has(answer.status)));
}

/** Sends a request until its answer is not worth another try. `until` is an instant. */
export async function tried(
  url: string | URL,
  options: FetchOptions,
  worth: Worth,
  until: number = Infinity,
): Promise<Response> {
  const { retries = 3, initial = 200, max = 10_000, retryAfterMax = 60_000 } = options;
  const attempts = isReplayable(options.body) ? retries : 0;
  for (let attempt = 0; ; attempt++) {
    let answer: Response | undefined;
    let failure: unknown;
    try {
      answer = await once(url, options);
    } catch (error) {
      failure = error;
      if (options.signal?.aborted) throw error;
    }
    const wait = backoff(attempt, { initial, max }, Math.random());
    const asked = (answer && retryAfterSeconds(answer, Date.now()) || 0) * 1000;
    const isOver = attempt >= attempts || asked > retryAfterMax;
    const delay = Math.max(wait, asked);
    if (isOver || Date.now() + delay >= until || !worth(answer, failure)) {
      if (answer === undefined) throw failure;
      return answer;
    }
    await answer?.body?.cancel();
    await sleep(delay, options.signal);
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
async function once(url: string | URL, options: FetchOptions): Promise<Response> {
  const { timeout = 30_000, retries, initial, max, retryAfterMax, fetch: given, ...init } = options;
  const send = given ?? globalThis.fetch;
  if (timeout === 0) return send(url, init);
  const controller = new AbortController();
  const stop = () => controller.abort(init.signal?.reason);
  if (init.signal?.aborted) stop();
  // It stays: a caller who gives up while he reads the body stops that too.
  init.signal?.addEventListener('abort', stop, { once: true });
  const late = new DOMException(`no answer within ${timeout} ms`, 'TimeoutError');
  const timer = setTimeout(() => controller.abort(late), timeout);
  try {
    return await send(url, { ...init, signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a body can be sent twice. */
function isReplayable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true;
  const isStream = typeof (body as ReadableStream).getReader === 'function';
  return !isStream && typeof (body as AsyncIterable<unknown>)[Symbol.asyncIterator] !== 'function';
}
