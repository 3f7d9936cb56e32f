// A small server that remembers what it was asked and answers what the test says.

import { createServer } from 'node:http';
import { createClient } from '../dist/index.js';

/**
 * A server whose answers come from `answer(request, n)`: `{ status, headers, json, body }`, or a
 * function that gets the response to write to.
 */
export async function serve(answer) {
  const asked = [];
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const url = new URL(incoming.url, 'http://x');
    const request = { method: incoming.method, path: url.pathname, query: url.searchParams, headers: incoming.headers, body };
    request.json = body.length > 0 && /json/.test(incoming.headers['content-type'] ?? '') ? JSON.parse(body) : undefined;
    asked.push(request);
    const given = (await answer(request, asked.length - 1)) ?? {};
    if (typeof given === 'function') return given(outgoing);
    const { status = 200, headers = {}, json } = given;
    const type = json === undefined ? {} : { 'content-type': 'application/json' };
    outgoing.writeHead(status, { ...type, ...headers });
    outgoing.end(json === undefined ? given.body : JSON.stringify(json));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  const close = () =>
    new Promise((done) => {
      server.close(done);
      server.closeAllConnections?.();
    });
  return { url, asked, close };
}

/** Runs a test with a server and a client of it. */
export const withServer = (answer, work, options = {}) => async () => {
  const server = await serve(answer);
  const client = createClient({ url: server.url, apiKey: 'evk_test', retry: { initial: 1 }, ...options });
  try {
    await work(client, server.asked, server);
  } finally {
    await server.close();
  }
};

/** An answer with an error as the server has it. */
export const refused = (status, code, message, more = {}) => ({
  status,
  headers: more.headers ?? {},
  json: { error: { code, message, problems: more.problems ?? [], request_id: 'req_1', docs: `/docs/errors/${code}` } },
});

export const all = async (iterable) => {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
};
