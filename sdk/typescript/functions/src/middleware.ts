// Steps before and behind a handler.

import type { Context } from '@evoke/sdk';

/** What a handler may return: a worker makes a `Response` of it. */
export type Answer = unknown;

/** What answers a request. */
export type Handler = (request: Request, context: Context) => Answer | Promise<Answer>;

/** Goes on with what comes behind, if it likes with another request. */
export type Next = (request?: Request) => Promise<Response>;

/** A step: it answers by itself, or goes on with `next()`. */
export type Middleware = (request: Request, context: Context, next: Next) => Answer | Promise<Answer>;

/**
 * A handler of a request that goes through steps, in their order. The last one is the handler:
 * `middleware([cors(), auth({ required: true }), async (request) => Response.json({})])`.
 */
export function middleware(steps: readonly [...Middleware[], Handler]): (request: Request, context: Context) => Promise<Response> {
  if (!Array.isArray(steps) || steps.length === 0) throw new TypeError('middleware() takes a list of steps, the handler last');
  const wrong = steps.findIndex((step) => typeof step !== 'function');
  if (wrong >= 0) throw new TypeError(`step ${wrong + 1} of middleware() is a ${typeof steps[wrong]}, not a function`);
  const all = steps as readonly Middleware[];
  const run = async (at: number, request: Request, context: Context): Promise<Response> => {
    let isDone = false;
    const next: Next = (other = request) => {
      if (isDone) throw new Error(`step ${at + 1} of middleware() called next() twice`);
      isDone = true;
      if (at + 1 >= all.length) throw new Error('the last step of middleware() is the handler: there is no next()');
      return run(at + 1, other, context);
    };
    return answerOf(await (all[at] as Middleware)(request, context, next));
  };
  return (request, context) => run(0, request, context);
}

/** What was returned as a `Response`, by the rules of the worker. */
export function answerOf(value: unknown): Response {
  if (isResponse(value)) return value;
  if (value === undefined || value === null) return new Response(null, { status: 204 });
  if (typeof value === 'string') return new Response(value);
  if (value instanceof Uint8Array)
    return new Response(value as unknown as BodyInit, { headers: { 'content-type': 'application/octet-stream' } });
  const source = sourceOf(value);
  if (source === undefined) return Response.json(value);
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
  return new Response(streamOf(source), { headers });
}

/** An answer with headers more. Those of a `Response` that was fetched cannot be changed. */
export function withHeaders(response: Response, headers: [string, string][]): Response {
  const set = (target: Response) => {
    for (const [name, value] of headers) {
      if (name === 'vary') target.headers.append(name, value);
      else target.headers.set(name, value);
    }
    return target;
  };
  try {
    return set(response);
  } catch {
    const { status, statusText } = response;
    const copied = new Headers(response.headers);
    // What was fetched has been decoded: these tell of its encoded form.
    const isDecoded = response.url !== '' && copied.has('content-encoding');
    if (isDecoded) for (const name of ['content-encoding', 'content-length']) copied.delete(name);
    return set(new Response(response.body, { status, statusText, headers: copied }));
  }
}

/** An error in the form of the server's own. */
export function refusal(
  status: number,
  code: string,
  message: string,
  more: { problems?: unknown[]; headers?: Record<string, string> } = {},
): Response {
  const error = more.problems === undefined ? { code, message } : { code, message, problems: more.problems };
  return Response.json({ error }, { status, headers: more.headers ?? {} });
}

const isResponse = (value: unknown): value is Response =>
  value instanceof Response ||
  (typeof (value as Response | null)?.arrayBuffer === 'function' && typeof (value as Response).status === 'number');

type Source = AsyncIterator<unknown> | Iterator<unknown>;

function sourceOf(value: object): Source | undefined {
  const many = value as AsyncIterable<unknown> & Iterator<unknown>;
  if (typeof many[Symbol.asyncIterator] === 'function') return many[Symbol.asyncIterator]();
  const isGenerator = typeof many.next === 'function' && typeof (value as Iterable<unknown>)[Symbol.iterator] === 'function';
  return isGenerator ? many : undefined;
}

/** Texts and bytes as they are, any other value as a server-sent event. */
function streamOf(source: Source): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const bytesOf = (piece: unknown) =>
    piece instanceof Uint8Array ? piece : encoder.encode(typeof piece === 'string' ? piece : `data: ${JSON.stringify(piece)}\n\n`);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) return controller.close();
      controller.enqueue(bytesOf(value));
    },
    async cancel() {
      await source.return?.();
    },
  });
}
