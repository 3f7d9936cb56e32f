// How often somebody may call.

import type { Context } from '@evoke/sdk';
import { refusal, withHeaders, type Middleware } from './middleware.ts';

/** How often. */
export interface RateLimitOptions {
  /** Requests in a window; 100. */
  maxRequests?: number;
  /** `30s`, `1m`, `1h`, or milliseconds; `1m`. */
  window?: string | number;
  /** Who is counted together; the user, else the address. Who has none is not counted. */
  key?: (request: Request, context: Context) => string | null | undefined;
  message?: string;
}

/** Callers that are remembered; the one who was silent longest is forgotten first. */
const KEYS_MAX = 10_000;
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What is known of a caller: requests in the window that began then, and in the one before. */
interface Seen {
  begun: number;
  count: number;
  before: number;
}

/**
 * Refuses with 429 what comes more often than that, in a window that slides.
 *
 * It counts in the memory of its worker: with N workers a caller may come N times as often, and a new
 * worker begins at zero. That protects a function from being flooded; it is no quota.
 */
export function rateLimit(options: RateLimitOptions = {}): Middleware {
  const { maxRequests = 100, message = 'too many requests' } = options;
  const window = millisOf(options.window ?? '1m');
  if (!(maxRequests >= 1)) throw new TypeError(`rateLimit: maxRequests is at least 1, not ${maxRequests}`);
  const key = options.key ?? callerOf;
  const seen = new Map<string, Seen>();
  return async (request, context, next) => {
    const who = key(request, context);
    if (who == null) return next();
    const { left, wait } = take(seen, who, { maxRequests, window, now: Date.now() });
    const headers: [string, string][] = [
      ['ratelimit-limit', String(maxRequests)],
      ['ratelimit-remaining', String(left)],
      ['ratelimit-reset', String(Math.ceil((wait || window) / 1000))],
    ];
    if (wait === 0) return withHeaders(await next(), headers);
    const later = { 'retry-after': String(Math.ceil(wait / 1000)) };
    return withHeaders(refusal(429, 'FN_007', message, { headers: later }), headers);
  };
}

/** Counts a request: how many more may come, and how long to wait where this one was too many. */
export function take(
  seen: Map<string, Seen>,
  who: string,
  { maxRequests, window, now }: { maxRequests: number; window: number; now: number },
): { left: number; wait: number } {
  const begun = now - (now % window);
  const old = seen.get(who);
  const isLast = old?.begun === begun - window;
  const one: Seen = old?.begun === begun ? old : { begun, count: 0, before: isLast ? (old as Seen).count : 0 };
  const passed = (now - begun) / window;
  const used = one.before * (1 - passed) + one.count;
  // Put at the end, so that the first of the map is the one who was silent longest.
  seen.delete(who);
  seen.set(who, one);
  if (seen.size > KEYS_MAX) seen.delete(seen.keys().next().value as string);
  if (used + 1 > maxRequests) return { left: 0, wait: waitOf(one, { maxRequests, window, now }) };
  one.count++;
  return { left: Math.max(0, Math.floor(maxRequests - used - 1)), wait: 0 };
}

/** Milliseconds until one more request fits. */
function waitOf(
  { begun, count, before }: Seen,
  { maxRequests, window, now }: { maxRequests: number; window: number; now: number },
): number {
  const room = maxRequests - 1;
  const at = count > room ? begun + window * (2 - room / count) : begun + window * (1 - (room - count) / before);
  return Math.max(1, Math.ceil(at - now));
}

/** The user where one is signed in; else the address the nearest proxy tells, behind whatever it was told; else everybody together. */
function callerOf(request: Request, context: Context): string {
  if (context.user != null) return `user ${context.user.id}`;
  const forwarded = request.headers.get('x-forwarded-for') ?? request.headers.get('x-real-ip');
  return `address ${forwarded?.split(',').at(-1)?.trim() ?? ''}`;
}

/** Milliseconds of `30s`, `1m`, `1h`; a bare number is milliseconds. */
export function millisOf(given: string | number): number {
  const match = typeof given === 'number' ? [given, String(given), 'ms'] : /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$/.exec(given);
  const millis = match === null ? NaN : Number(match[1]) * (UNITS[match[2] as string] as number);
  if (!(millis >= 1)) throw new TypeError(`rateLimit: ${JSON.stringify(given)} is no length of time; like "30s", "1m", "1h"`);
  return millis;
}
