import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { auth, cors, middleware, rateLimit, validate } from '../dist/index.js';
import { take } from '../dist/rate-limit.js';

const context = (more = {}) => ({ user: null, params: undefined, ...more });
const ask = (handler, path = '/', init = {}, more = {}) =>
  handler(new Request(`http://localhost${path}`, init), context(more));
const ok = async () => Response.json({ success: true });
const headers = (response) => Object.fromEntries(response.headers);

describe('middleware', () => {
  test('goes through its steps in order, and back', async () => {
    const seen = [];
    const step = (name) => async (request, context, next) => {
      seen.push(`${name}>`);
      const response = await next();
      seen.push(`<${name}`);
      response.headers.set(`x-${name}`, '1');
      return response;
    };
    const handler = middleware([step('a'), step('b'), (request, context) => ({ at: context.params.id })]);
    const response = await ask(handler, '/', {}, { params: { id: '7' } });
    assert.deepEqual(await response.json(), { at: '7' });
    assert.equal(response.headers.get('x-a'), '1');
    assert.deepEqual(seen, ['a>', 'b>', '<b', '<a']);
  });

  test('makes an answer of everything a handler may return', async () => {
    const given = async (value) => ask(middleware([() => value]));
    assert.equal((await given(undefined)).status, 204);
    assert.equal((await given(null)).status, 204);
    assert.equal(await (await given('text')).text(), 'text');
    assert.equal((await given(new Uint8Array([1]))).headers.get('content-type'), 'application/octet-stream');
    assert.deepEqual(await (await given([1, 2])).json(), [1, 2]);
    async function* pieces() { yield 'a\n'; yield { n: 1 }; yield new TextEncoder().encode('c'); }
    const stream = await given(pieces());
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    assert.equal(await stream.text(), 'a\ndata: {"n":1}\n\nc');
    function* few() { yield 'x'; }
    assert.equal(await (await given(few())).text(), 'x');
  });

  test('hands on another request, and what goes wrong', async () => {
    const handler = middleware([(request, _, next) => next(new Request('http://localhost/other')), ({ url }) => url]);
    assert.equal(await (await ask(handler)).text(), 'http://localhost/other');
    await assert.rejects(ask(middleware([(r, c, next) => next(), () => { throw new Error('mine'); }])), /mine/);
    await assert.rejects(ask(middleware([async (r, c, next) => { await next(); return next(); }, ok])), /called next\(\) twice/);
    await assert.rejects(ask(middleware([(r, c, next) => next()])), /the last step of middleware\(\) is the handler/);
    assert.throws(() => middleware([]), /the handler last/);
    assert.throws(() => middleware([cors, null]), /step 2 of middleware\(\) is a object/);
  });
});

describe('cors', () => {
  const preflight = (origin, more = {}) => ({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT', ...more } });
  const from = (origin) => ({ headers: { origin } });

  test('lets everybody in unless told otherwise', async () => {
    const handler = middleware([cors({ origin: '*' }), ok]);
    assert.equal((await ask(handler, '/', from('https://a.example'))).headers.get('access-control-allow-origin'), '*');
    const answer = await ask(handler, '/', preflight('https://a.example', { 'access-control-request-headers': 'x-one' }));
    assert.deepEqual([answer.status, headers(answer)], [204, {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, PUT, PATCH, POST, DELETE',
      'access-control-allow-headers': 'x-one',
      vary: 'Access-Control-Request-Headers',
    }]);
  });

  test('tells named origins from others', async () => {
    for (const origin of ['https://a.example', ['https://a.example', /^https:\/\/b\d$/], (one) => one === 'https://a.example']) {
      const handler = middleware([cors({ origin, credentials: true, exposedHeaders: ['x-a'], maxAge: 60, allowedHeaders: ['x-b'], methods: ['GET'] }), ok]);
      const good = headers(await ask(handler, '/', from('https://a.example')));
      assert.equal(good['access-control-allow-origin'], 'https://a.example');
      assert.deepEqual([good['access-control-allow-credentials'], good['access-control-expose-headers'], good.vary], ['true', 'x-a', 'Origin']);
      const bad = await ask(handler, '/', from('https://a.example.evil'));
      assert.deepEqual([bad.status, headers(bad)['access-control-allow-origin'], headers(bad).vary], [200, undefined, 'Origin']);
      assert.equal(headers(await ask(handler, '/', preflight('https://evil')))['access-control-allow-methods'], undefined);
      const granted = headers(await ask(handler, '/', preflight('https://a.example')));
      assert.deepEqual([granted['access-control-allow-methods'], granted['access-control-allow-headers'], granted['access-control-max-age']], ['GET', 'x-b', '60']);
    }
    for (const origin of [undefined, '*', ['*'], ['https://a.example', '*']])
      assert.throws(() => cors({ origin, credentials: true }), /named origins/);
  });

  test('looks at each origin from its front', async () => {
    const handler = middleware([cors({ origin: /^https:\/\/a\d$/g }), ok]);
    for (let n = 0; n < 3; n++) assert.equal(headers(await ask(handler, '/', from('https://a1')))['access-control-allow-origin'], 'https://a1');
    const all = middleware([cors({ origin: ['https://a.example', '*'] }), ok]);
    assert.equal(headers(await ask(all, '/', from('https://b')))['access-control-allow-origin'], 'https://b');
  });

  test('marks what was fetched, which has been decoded', async () => {
    const packed = gzipSync('hello');
    const server = createServer((_, response) => response.setHeader('content-encoding', 'gzip').end(packed));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const answer = await ask(middleware([cors(), () => fetch(`http://127.0.0.1:${server.address().port}`)]), '/', from('https://a'));
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    // What the worker leaves out where headers can be changed, as on Bun.
    if (answer.url === '') assert.deepEqual([answer.headers.get('content-encoding'), answer.headers.get('content-length')], [null, null]);
    assert.equal(await answer.text(), 'hello');
    server.close();
    server.closeAllConnections?.();
  });

  test('an OPTIONS that is no preflight is the handler’s', async () => {
    assert.deepEqual(await (await ask(middleware([cors(), ok]), '/', { method: 'OPTIONS' })).json(), { success: true });
  });
});

describe('auth', () => {
  let server;
  const users = { good: { id: 'usr_1', email: 'ada@example.com', roles: ['editor'] } };
  before(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const user = users[JSON.parse(body).token];
      const status = body.includes('down') ? 500 : user ? 200 : 401;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(user ? { user } : { error: { code: 'AU_002', message: 'the token does not hold' } }));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    process.env.EVOKE_URL = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => { server.close(); server.closeAllConnections?.(); });
  const who = (request, context) => context.user;
  const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });

  test('needs a token, unless it does not', async () => {
    const strict = middleware([auth(), who]);
    const refused = await ask(strict);
    assert.deepEqual([refused.status, refused.headers.get('www-authenticate'), (await refused.json()).error.code], [401, 'Bearer', 'AU_002']);
    assert.equal((await ask(strict, '/', bearer('bad'))).status, 401);
    assert.deepEqual(await (await ask(strict, '/', bearer('good'))).json(), users.good);
    const open = middleware([auth({ required: false }), who]);
    assert.equal((await ask(open)).status, 204);
    assert.deepEqual(await (await ask(open, '/', bearer('good'))).json(), users.good);
    assert.equal((await ask(open, '/', bearer('bad'))).status, 401);
  });

  test('wants a role', async () => {
    const status = async (role) => (await ask(middleware([auth({ role }), who]), '/', bearer('good'))).status;
    assert.deepEqual([await status('editor'), await status(['admin', 'editor']), await status('admin')], [200, 200, 403]);
    assert.equal((await ask(middleware([auth({ required: false, role: 'admin' }), who]))).status, 401);
  });

  test('takes the user the trigger has found, and another judge', async () => {
    const user = { id: 'usr_2', roles: [] };
    assert.deepEqual(await (await ask(middleware([auth(), who]), '/', {}, { user })).json(), user);
    const verify = async (token) => (token === 'x' ? { id: 'x' } : null);
    assert.deepEqual(await (await ask(middleware([auth({ verify }), who]), '/', bearer('x'))).json(), { id: 'x' });
    assert.equal((await ask(middleware([auth({ verify }), who]), '/', bearer('y'))).status, 401);
    await assert.rejects(ask(middleware([auth(), who]), '/', bearer('down')), { status: 500 });
  });

  test('takes nothing but somebody for somebody', async () => {
    const known = new Map([['x', { id: 'x' }]]);
    const status = async (options, more) => (await ask(middleware([auth(options), who]), '/', bearer('y'), more)).status;
    for (const verify of [(token) => known.get(token), async () => undefined, () => null, () => false, () => '', () => 0]) {
      assert.equal(await status({ verify }), 401);
      assert.equal(await status({ verify, role: 'admin' }), 401);
      assert.equal(await status({ verify, required: false }), 204);
      assert.equal(await status({ verify, required: false, role: 'admin' }), 401);
    }
    assert.equal(await status({ verify: () => undefined }, { user: undefined }), 401);
    const bare = middleware([auth(), who]);
    assert.equal((await bare(new Request('http://localhost/'), {})).status, 401, 'a context that knows of no user');
    assert.equal((await ask(middleware([auth(), who]), '/', bearer('good'), { user: undefined })).status, 200);
  });

  test('is the service as well', async () => {
    assert.deepEqual(await auth.verifyToken('Bearer good'), users.good);
    assert.equal(typeof auth.users.list, 'function');
  });
});

describe('rateLimit', () => {
  test('refuses what is too much, each caller for itself', async () => {
    const handler = middleware([rateLimit({ maxRequests: 2, window: '1h', key: ({ headers }) => headers.get('x-who') }), ok]);
    const by = (who) => ask(handler, '/', { headers: { 'x-who': who } });
    assert.deepEqual([(await by('a')).status, (await by('a')).status], [200, 200]);
    const refused = await by('a');
    assert.equal(refused.status, 429);
    const told = headers(refused);
    assert.deepEqual([told['ratelimit-limit'], told['ratelimit-remaining']], ['2', '0']);
    assert.ok(Number(told['retry-after']) > 0 && Number(told['retry-after']) <= 7200);
    assert.equal((await refused.json()).error.code, 'FN_007');
    assert.equal((await by('b')).headers.get('ratelimit-remaining'), '1');
    for (let n = 0; n < 5; n++) assert.equal((await ask(handler)).status, 200, 'whom nobody names is not counted');
    const unnamed = middleware([rateLimit({ maxRequests: 1, key: () => undefined }), ok]);
    for (let n = 0; n < 3; n++) assert.equal((await ask(unnamed)).status, 200);
  });

  test('counts by the address the nearest proxy has seen', async () => {
    const handler = middleware([rateLimit({ maxRequests: 1 }), ok]);
    const from = async (forwarded) => (await ask(handler, '/', { headers: { 'x-forwarded-for': forwarded } })).status;
    assert.deepEqual([await from('1.1.1.1, 9.9.9.9'), await from('2.2.2.2, 9.9.9.9'), await from('1.1.1.1, 8.8.8.8')], [200, 429, 200]);
  });

  test('counts in a window that slides', () => {
    const seen = new Map();
    const at = (now) => take(seen, 'a', { maxRequests: 10, window: 1000, now });
    for (let n = 0; n < 10; n++) assert.equal(at(999 + 1000).wait, 0);
    const { wait } = at(2000);
    assert.ok(wait > 0 && wait <= 1000);
    assert.equal(at(2000 + wait).wait, 0, 'what it says to wait is enough');
    assert.ok(at(2000 + wait).wait > 0, 'and not too much');
    assert.equal(at(5000).left, 9);
  });

  test('waits are enough whatever happened before', () => {
    let seed = 1;
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
    for (let round = 0; round < 200; round++) {
      const limits = { maxRequests: 1 + Math.floor(random() * 5), window: 1000 };
      const seen = new Map();
      let now = 10_000;
      const times = [];
      for (let n = 0; n < 40; n++) {
        now += Math.floor(random() * 300);
        const { wait } = take(seen, 'a', { ...limits, now });
        if (wait === 0) times.push(now);
        else assert.equal(take(structuredClone(seen), 'a', { ...limits, now: now + wait }).wait, 0, `${JSON.stringify(limits)} at ${now}`);
      }
      for (const from of times)
        assert.ok(times.filter((time) => time >= from && time < from + 1000).length <= limits.maxRequests * 2);
    }
  });

  test('forgets who was silent longest', () => {
    const seen = new Map();
    for (let n = 0; n < 10_005; n++) take(seen, `caller ${n}`, { maxRequests: 1, window: 1000, now: 0 });
    assert.equal(seen.size, 10_000);
    assert.ok(!seen.has('caller 0') && seen.has('caller 10004'));
  });

  test('takes only lengths of time', () => {
    for (const window of ['', '1', '1 fortnight', -1, 0, NaN, '0s']) assert.throws(() => rateLimit({ window }), /no length of time/);
    for (const window of ['1m', '30 s', 500, '1.5h', '1d']) rateLimit({ window });
    assert.throws(() => rateLimit({ maxRequests: 0 }), /at least 1/);
  });
});

describe('validate', () => {
  const post = (body) => ({ method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
  const schema = { type: 'object', required: ['email'], properties: { email: { type: 'string', format: 'email' }, tags: { type: 'array', items: { type: 'string' } } }, additionalProperties: false };

  test('looks at the body, which can still be read', async () => {
    const handler = middleware([validate(schema), async (request, context) => [await request.json(), context.valid.body]]);
    assert.deepEqual(await (await ask(handler, '/', post({ email: 'a@b.example' }))).json(), [{ email: 'a@b.example' }, { email: 'a@b.example' }]);
    const refused = await ask(handler, '/', post({ tags: ['a', 1], more: 1 }));
    assert.equal(refused.status, 422);
    const { error } = await refused.json();
    assert.deepEqual(error.problems.map(({ field, message }) => `${field} ${message}`), ['email is missing', 'tags[1] expected string, got number', 'more is not allowed']);
    assert.equal((await ask(handler, '/', post('{broken'))).status, 400);
    assert.equal((await ask(handler, '/', { method: 'POST' })).status, 422);
  });

  test('looks at query and parameters', async () => {
    const text = { type: 'string', pattern: '^\\d+$' };
    const handler = middleware([
      validate({ query: { type: 'object', required: ['page'], properties: { page: text } }, params: { type: 'object', properties: { id: text } } }),
      (request, context) => context.valid,
    ]);
    assert.deepEqual(await (await ask(handler, '/?page=2&x=1&x=2', {}, { params: { id: '7' } })).json(), { query: { page: '2', x: ['1', '2'] }, params: { id: '7' } });
    const { error } = await (await ask(handler, '/?page=x', {}, { params: { id: 'y' } })).json();
    assert.deepEqual(error.problems.map(({ field }) => field), ['query.page', 'params.id']);
  });

  test('takes the schemas of libraries', async () => {
    const standard = { '~standard': { version: 1, vendor: 'test', validate: async (value) => (value?.n > 0 ? { value: { n: value.n * 2 } } : { issues: [{ message: 'too small', path: ['n'] }, { message: 'bad', path: [{ key: 'a' }, 0, 'b'] }, { message: 'all' }] }) } };
    const handler = middleware([validate({ body: standard }), (request, context) => context.valid.body]);
    assert.deepEqual(await (await ask(handler, '/', post({ n: 2 }))).json(), { n: 4 });
    const { error } = await (await ask(handler, '/', post({ n: 0 }))).json();
    assert.deepEqual(error.problems.map(({ field }) => field), ['n', 'a[0].b', '']);
    assert.equal((await ask(middleware([validate(Object.assign(() => 1, standard)), ok]), '/', post({ n: 1 }))).status, 200);
  });
});

test('document 001 prints this', async () => {
  const handler = middleware([
    cors({ origin: "*" }),
    auth({ required: true, verify: () => ({ id: 'x' }) }),
    rateLimit({ maxRequests: 100, window: "1m" }),
    async (req) => {
      // Your handler logic
      return Response.json({ success: true });
    },
  ]);
  const response = await ask(handler, '/', { headers: { authorization: 'Bearer x', origin: 'https://a' } });
  assert.deepEqual(await response.json(), { success: true });
  assert.equal(response.headers.get('ratelimit-remaining'), '99');
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
});
