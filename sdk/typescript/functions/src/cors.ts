// Which pages of other sites may call.

import { withHeaders, type Middleware } from './middleware.ts';

/** What is allowed. */
export interface CorsOptions {
  /** `*` (the default), an origin, several, or who decides. */
  origin?: '*' | (string & {}) | RegExp | readonly (string | RegExp)[] | ((origin: string) => boolean);
  /** Methods; GET, HEAD, PUT, PATCH, POST, DELETE. */
  methods?: string[];
  /** Headers a page may send; those it asks for if not given. */
  allowedHeaders?: string[];
  /** Headers of the answer a page may read. */
  exposedHeaders?: string[];
  /** Whether cookies may come along: only with named origins. */
  credentials?: boolean;
  /** Seconds a browser may keep the answer to a preflight. */
  maxAge?: number;
}

const METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'];

/** Answers preflights, and marks answers for pages of other sites. The route has to take OPTIONS. */
export function cors(options: CorsOptions = {}): Middleware {
  const { origin: allowed = '*', credentials = false } = options;
  if (credentials && (allowed === '*' || (Array.isArray(allowed) && allowed.includes('*'))))
    throw new TypeError('cors: credentials need named origins; browsers refuse them with "*"');
  const isAllowed = rule(allowed);
  const fixed: [string, string][] = allowed === '*' ? [['access-control-allow-origin', '*']] : [];
  return async (request, _context, next) => {
    const origin = request.headers.get('origin');
    const headers: [string, string][] = [...fixed];
    if (allowed !== '*') {
      headers.push(['vary', 'Origin']);
      if (origin !== null && isAllowed(origin)) headers.push(['access-control-allow-origin', origin]);
    }
    const isGranted = headers.some(([name]) => name === 'access-control-allow-origin');
    if (isGranted && credentials) headers.push(['access-control-allow-credentials', 'true']);
    const isPreflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
    if (isPreflight) {
      if (isGranted) headers.push(...grants(options, request));
      return withHeaders(new Response(null, { status: 204 }), headers);
    }
    const exposed = options.exposedHeaders;
    if (isGranted && exposed !== undefined) headers.push(['access-control-expose-headers', exposed.join(', ')]);
    return withHeaders(await next(), headers);
  };
}

/** What a preflight is told. */
function grants(options: CorsOptions, request: Request): [string, string][] {
  const { methods = METHODS, allowedHeaders, maxAge } = options;
  const granted: [string, string][] = [['access-control-allow-methods', methods.join(', ')]];
  const asked = allowedHeaders?.join(', ') ?? request.headers.get('access-control-request-headers');
  if (asked !== null) granted.push(['access-control-allow-headers', asked]);
  if (allowedHeaders === undefined) granted.push(['vary', 'Access-Control-Request-Headers']);
  if (maxAge !== undefined) granted.push(['access-control-max-age', String(maxAge)]);
  return granted;
}

function rule(allowed: NonNullable<CorsOptions['origin']>): (origin: string) => boolean {
  if (typeof allowed === 'function') return allowed;
  const rules = Array.isArray(allowed) ? allowed : [allowed];
  return (origin) =>
    // `search` begins at the front, where `test` of a global expression goes on from its last match.
    rules.some((one: string | RegExp) => (typeof one === 'string' ? one === '*' || one === origin : origin.search(one) >= 0));
}
