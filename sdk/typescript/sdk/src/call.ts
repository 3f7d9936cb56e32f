// Whose call this is. The worker of a function tells it of the call that is under way, so that two
// calls of one process do not send each other's tokens.

/** What is known of the call of a function. */
export interface Call {
  /** Address of the server. */
  url: string;
  /** Good while the call lasts. */
  token: string | undefined;
  traceparent?: string | undefined;
  requestId?: string | undefined;
  /** When it runs out of time, in milliseconds of the epoch. */
  deadlineMs?: number | undefined;
}

const CALL = Symbol.for('evoke.call');

/** The server that is asked where nobody says which. */
const URL_DEFAULT = 'http://127.0.0.1:8090';

/** The call under way; outside of functions what the environment says. */
export function currentCall(): Call {
  const tell = (globalThis as Record<symbol, unknown>)[CALL] as (() => Call | undefined) | undefined;
  const call = tell?.();
  if (call !== undefined) return call;
  const { EVOKE_URL, EVOKE_TOKEN, EVOKE_API_KEY } = environment();
  return { url: EVOKE_URL ?? URL_DEFAULT, token: EVOKE_API_KEY ?? EVOKE_TOKEN };
}

/** The variables of the process; none in a browser. */
export function environment(): Record<string, string | undefined> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env ?? {};
}
