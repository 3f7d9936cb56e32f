import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClient, db, EvokeError, http, memoryStore, reject, secrets, servicesOf, webStore } from '../dist/index.js';
import { refused, serve, withServer } from './server.mjs';

describe('storage', () => {
  const info = { name: 'a/b.txt', size_bytes: 5, content_type: 'text/plain', etag: 'abc', metadata: {} };

  test('uploads every kind of data', withServer(() => ({ json: info }), async ({ storage }, asked) => {
    const file = storage.bucket('up').file('a/b ü.txt');
    async function* pieces() { yield new Uint8Array([104, 101]); yield new TextEncoder().encode('llo'); }
    const bytes = new TextEncoder().encode('hello');
    const stream = new ReadableStream({ start(controller) { controller.enqueue(bytes); controller.close(); } });
    const data = ['hello', bytes, bytes.buffer, new Blob(['hello'], { type: 'text/x' }), stream];
    if (globalThis.Bun === undefined) data.push(pieces());
    for (const one of data) assert.deepEqual(await file.upload(one, { metadata: { Note: 'ä=1' }, ifNew: true }), info);
    for (const { method, path, body, headers } of asked) {
      assert.deepEqual([method, path, body.toString()], ['PUT', '/api/buckets/up/files/a/b%20%C3%BC.txt', 'hello']);
      assert.equal(headers['if-none-match'], '*');
      assert.equal(decodeURIComponent(headers['x-meta-note']), 'ä=1');
    }
    assert.equal(asked[3].headers['content-type'], 'text/x');
    await file.upload('x', { contentType: 'image/png', ifMatch: 'abc' });
    assert.deepEqual([asked.at(-1).headers['content-type'], asked.at(-1).headers['if-match']], ['image/png', '"abc"']);
  }));

  test('downloads in the form that is wanted', withServer(
    ({ headers }) => (headers.range ? { status: 206, body: headers.range } : { body: '{"a":"é"}' }),
    async ({ storage }, asked) => {
      const file = storage.bucket('up').file('x.json');
      const bytes = await file.download();
      assert.ok(bytes instanceof Uint8Array);
      assert.equal(new TextDecoder().decode(bytes), '{"a":"é"}');
      assert.deepEqual(await file.download().json(), { a: 'é' });
      assert.equal(await file.download().text(), '{"a":"é"}');
      assert.equal((await file.download().blob()).size, 10);
      assert.equal(await new Response(await file.download().stream()).text(), '{"a":"é"}');
      assert.equal(await new Response(await file.stream()).text(), '{"a":"é"}');
      const before = asked.length;
      file.download();
      assert.equal(asked.length, before, 'what is not wanted is not asked for');
      for (const [range, wanted] of [[[0, 10], 'bytes=0-9'], [[5], 'bytes=5-'], [[-3], 'bytes=-3']])
        assert.equal(await file.download({ range }).text(), wanted);
    }));

  test('knows what is there', withServer(
    ({ method, path, query }) => {
      if (path.endsWith('/none')) return refused(404, 'SO_002', 'no file');
      if (query.get('info') === 'true') return { json: info };
      if (method === 'DELETE') return { status: 204 };
      return { json: { data: [info], next_cursor: null, url: '/storage/up/a?signature=x' } };
    },
    async ({ storage }, asked, { url }) => {
      const bucket = storage.bucket('up');
      assert.deepEqual(await bucket.file('a').metadata(), info);
      assert.equal(await bucket.file('a').exists(), true);
      assert.equal(await bucket.file('none').exists(), false);
      assert.equal(await bucket.file('a').delete(), true);
      assert.equal(await bucket.file('none').delete(), false);
      await assert.rejects(bucket.file('none').download().bytes(), { code: 'SO_002' });
      assert.deepEqual(await bucket.list('pre'), [info]);
      assert.equal(asked.at(-1).query.get('prefix'), 'pre');
      assert.equal(await bucket.file('a').signedUrl({ expiresIn: '5m' }), `${url}/storage/up/a?signature=x`);
      await bucket.file('a').copy('b', { bucket: 'other' });
      assert.deepEqual(asked.at(-1).json, { from: 'a', to: 'b', to_bucket: 'other' });
    }));

  test('takes no name that leads elsewhere', withServer(() => ({}), async ({ storage }, asked) => {
    for (const name of ['', '..', 'a/../../../functions/x', 'a//b', './a', '/a'])
      await assert.rejects(async () => storage.bucket('b').file(name).download(), EvokeError, name);
    assert.equal(asked.length, 0);
  }));

  test('uploads large files in parts', withServer(
    ({ method, path, body }) => {
      if (method === 'POST' && path.endsWith('/uploads')) return { json: { id: 'upl_1', part_size: 30 << 20 } };
      return { json: { ...info, size_bytes: body.length } };
    },
    async ({ storage }, asked) => {
      await storage.bucket('b').file('big').upload(new Uint8Array(70 << 20), { contentType: 'x/y' });
      assert.deepEqual(asked[0].json, { name: 'big', content_type: 'x/y', size: 70 << 20 });
      const parts = asked.filter(({ method }) => method === 'PUT').map(({ path, body }) => [path, body.length >> 20]).sort();
      const place = '/api/buckets/b/uploads/upl_1';
      assert.deepEqual(parts, [[`${place}/parts/1`, 30], [`${place}/parts/2`, 30], [`${place}/parts/3`, 10]]);
      assert.equal(asked.at(-1).path, `${place}/complete`);
    }));
});

describe('events and functions', () => {
  test('are published, one or many, once', withServer(
    ({ json }) => ({ status: 202, json: { ids: [json].flat().map((_, n) => `evt_${n}`) } }),
    async ({ events }, asked) => {
      assert.deepEqual(await events.publish('order.paid', { a: 1 }, { subject: 's', orderingKey: 'k', deliverAt: new Date(0), idempotencyKey: 'key' }), { ids: ['evt_0'] });
      assert.deepEqual(asked[0].json, { type: 'order.paid', data: { a: 1 }, subject: 's', ordering_key: 'k', deliver_at: '1970-01-01T00:00:00.000Z' });
      assert.equal(asked[0].headers['idempotency-key'], 'key');
      assert.equal((await events.publish([{ type: 'a' }, { type: 'b', data: 2, delay: '5m' }])).ids.length, 2);
      assert.deepEqual(asked[1].json, [{ type: 'a' }, { type: 'b', data: 2, delay: '5m' }]);
      assert.ok(asked[1].headers['idempotency-key'].length > 20);
      assert.deepEqual(await events.publish([]), { ids: [] });
      assert.equal(asked.length, 2);
    }));

  test('are called, and waited for or not', withServer(
    ({ path, headers }) => {
      if (headers.prefer === 'respond-async') return { status: 202, json: { execution_id: 'exe_1' } };
      return path.includes('text') ? { body: 'plain', headers: { 'content-type': 'text/plain' } } : { json: { ok: true } };
    },
    async ({ functions }, asked) => {
      assert.deepEqual(await functions.invoke('résumé', { a: 1 }), { ok: true });
      assert.equal(asked[0].path, '/api/functions/r%C3%A9sum%C3%A9/invoke');
      assert.equal(await functions.invoke('text'), 'plain');
      assert.deepEqual(await functions.invoke('f', 1, { async: true, idempotencyKey: 'k' }), { execution_id: 'exe_1' });
      assert.equal(asked[2].headers['idempotency-key'], 'k');
      await functions.invoke('../keys');
      assert.equal(asked.at(-1).path, '/api/functions/..%2Fkeys/invoke');
    }));
});

describe('auth', () => {
  const user = { id: 'usr_1', email: 'ada@example.com', roles: [] };
  const tokens = (n, expires_in = 900) => ({ json: { user, access_token: `access-${n}`, refresh_token: `refresh-${n}`, expires_in } });

  test('verifies a token in either form', withServer(
    ({ json }) => (json.token === 'good' ? { json: { user } } : refused(401, 'AU_002', 'the token does not hold')),
    async ({ auth }, asked) => {
      for (const header of ['Bearer good', 'bearer  good', 'good', ' good ']) assert.deepEqual(await auth.verifyToken(header), user);
      await assert.rejects(auth.verifyToken('Bearer bad'), { code: 'AU_002', status: 401 });
      const before = asked.length;
      for (const header of [undefined, null, '', 'Bearer ']) await assert.rejects(auth.verifyToken(header), { status: 401 });
      assert.equal(asked.length, before);
    }));

  test('keeps who is signed in, and renews once', withServer(
    ({ path, json, headers }, n) => {
      if (path.endsWith('/login')) return tokens(0, 10);
      if (path.endsWith('/refresh')) return json.refresh_token === 'refresh-0' ? tokens(1) : refused(401, 'AU_003', 'spent');
      if (path.endsWith('/me') || path.startsWith('/api/notes')) return { json: { seen: headers.authorization } };
      return { status: 204 };
    },
    async (client, asked) => {
      const { auth } = client;
      assert.equal(await auth.token(), null);
      await assert.rejects(auth.me(), { status: 401 });
      assert.equal((await auth.login('ada@example.com', 'secret')).accessToken, 'access-0');
      const [a, b] = await Promise.all([auth.token(), auth.token()]);
      assert.deepEqual([a, b], ['access-1', 'access-1']);
      assert.equal(asked.filter(({ path }) => path.endsWith('/refresh')).length, 1);
      assert.deepEqual(await auth.me(), { seen: 'Bearer access-1' });
      assert.deepEqual(await (await client.fetch('/api/notes?x=1')).json(), { seen: 'Bearer access-1' });
      await assert.rejects(auth.refresh(), { code: 'AU_003' });
      assert.equal(await auth.session(), null, 'what cannot be renewed is over');
      await auth.login('ada@example.com', 'secret');
      await auth.logout();
      assert.deepEqual(asked.at(-1).json, { refresh_token: 'refresh-0' });
      assert.equal(await auth.session(), null);
      await auth.logout();
    }));

  test('finds a session again where it was kept', async () => {
    const kept = new Map();
    const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) };
    await withServer(() => tokens(0), ({ auth }) => auth.login('a', 'b'), { session: webStore(storage) })();
    assert.equal((await createClient({ url: 'http://x', session: webStore(storage) }).auth.session()).refreshToken, 'refresh-0');
    kept.set('evoke.session', '{broken');
    assert.equal(webStore(storage).load(), null);
    assert.equal(memoryStore().load(), null);
  });

  describe('of several tabs', () => {
    /** A server that ends a session whose refresh token is shown twice, and what tabs share. */
    const tabs = (work, { locks, slow = 0 } = {}) => async () => {
      let current = 0;
      let isOver = false;
      const server = await serve(async ({ path, json, headers }) => {
        if (path.endsWith('/login')) { isOver = false; return tokens(current, 10); }
        if (path.endsWith('/logout')) {
          if (json.refresh_token !== `refresh-${current}`) return refused(401, 'AU_002', 'the refresh token was used before');
          isOver = true;
          return { status: 204 };
        }
        if (path.endsWith('/me')) return { json: { seen: headers.authorization } };
        isOver ||= json.refresh_token !== `refresh-${current}`;
        if (!isOver) current++;
        const answer = isOver ? refused(401, 'AU_002', 'spent') : tokens(current);
        await new Promise((done) => setTimeout(done, isOver ? 0 : slow));
        return answer;
      });
      const store = memoryStore();
      const tab = () => createClient({ url: server.url, session: { load: async () => store.load(), save: async (session) => store.save(session) }, retry: { initial: 1 } });
      const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
      if (locks !== undefined) Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true, writable: true });
      try {
        await work([tab().auth, tab().auth], server.asked, store);
      } finally {
        if (locks !== undefined) before === undefined ? delete globalThis.navigator : Object.defineProperty(globalThis, 'navigator', before);
        await server.close();
      }
    };
    /** Locks as browsers have them. */
    const queue = () => {
      let last = Promise.resolve();
      return { request: (_, work) => (last = last.then(work, work)) };
    };
    const refreshes = (asked) => asked.filter(({ path }) => path.endsWith('/refresh')).length;

    test('one renews, the other takes what it got', tabs(async ([a, b], asked) => {
      await a.login('ada@example.com', 'secret');
      assert.deepEqual(await Promise.all([a.token(), b.token(), a.token()]), ['access-1', 'access-1', 'access-1']);
      assert.equal(refreshes(asked), 1);
      assert.equal((await b.refresh()).accessToken, 'access-2', 'who asks for new ones gets them');
    }, { locks: queue() }));

    test('who comes late without locks ends nobody else’s session', tabs(async ([a, b], asked, store) => {
      await a.login('ada@example.com', 'secret');
      const late = b.session().then(async (old) => {
        await a.token();
        const load = store.load;
        let looks = 0;
        store.load = () => (looks++ < 3 ? old : load());
        return b.token();
      });
      assert.equal(await late, 'access-1');
      assert.equal(refreshes(asked), 2);
      assert.equal((await a.session()).refreshToken, 'refresh-1');
    }));

    test('who signs out meanwhile stays so', tabs(async ([a, b], asked) => {
      await a.login('ada@example.com', 'secret');
      const renewing = a.token();
      while (refreshes(asked) === 0) await new Promise((done) => setTimeout(done, 1));
      await b.logout();
      await assert.rejects(renewing, { code: 'AU_002', status: 401 });
      assert.equal(await a.session(), null);
      assert.deepEqual(asked.filter(({ path }) => path.endsWith('/logout')).map(({ json }) => json.refresh_token), ['refresh-0', 'refresh-1']);
    }, { slow: 50 }));
  });

  test('lets others be administered', withServer(
    ({ method, path, query }) => {
      if (path.endsWith('/none')) return refused(404, 'AU_005', 'no user');
      if (path.endsWith('/users')) return { json: query.get('cursor') ? { data: [{ id: '2' }], next_cursor: null } : { data: [{ id: '1' }], next_cursor: 'c' } };
      return method === 'DELETE' ? { status: 204 } : { json: user };
    },
    async ({ auth: { users } }, asked) => {
      assert.deepEqual(await users.list(), [{ id: '1' }, { id: '2' }]);
      assert.deepEqual(await users.get('usr_1'), user);
      assert.equal(await users.get('none'), null);
      assert.deepEqual(await users.update('usr_1', { roles: ['admin'] }), user);
      assert.deepEqual(asked.at(-1).json, { roles: ['admin'] });
      assert.equal(await users.delete('usr_1'), true);
      assert.equal(await users.delete('none'), false);
    }));
});

describe('http', () => {
  const flaky = (until, status = 503, headers = {}) => (_, n) => (n < until ? { status, headers } : { body: 'ok' });
  const quick = { initial: 1, max: 2 };

  test('tries again what is safe', withServer(flaky(2), async (_, asked, { url }) => {
    assert.equal(await (await http.fetch(url, quick)).text(), 'ok');
    assert.equal(asked.length, 3);
  }));

  test('does not repeat what is not safe, unless it has a key', withServer(flaky(1), async (_, asked, { url }) => {
    assert.equal((await http.fetch(url, { ...quick, method: 'POST', body: 'x' })).status, 503);
    assert.equal(asked.length, 1);
    const keyed = { ...quick, method: 'POST', body: 'x', headers: { 'Idempotency-Key': 'k' } };
    assert.equal((await http.fetch(url, keyed)).status, 200);
  }));

  test('takes a whole request as what it is', withServer(flaky(1), async (_, asked, { url }) => {
    assert.equal((await http.fetch(new Request(url, { method: 'POST' }), quick)).status, 503);
    assert.equal((await http.fetch(new Request(url, { method: 'POST', body: 'x', headers: { 'idempotency-key': 'k' } }), quick)).status, 200);
    assert.deepEqual(asked.map(({ method, body }) => [method, body.toString()]), [['POST', ''], ['POST', 'x']]);
  }));

  test('repeats a request that may be', withServer(flaky(2), async (_, asked, { url }) => {
    const keyed = new Request(url, { method: 'POST', headers: { 'idempotency-key': 'k', 'x-own': '1' } });
    assert.equal((await http.fetch(keyed, quick)).status, 200);
    assert.deepEqual(asked.map(({ headers }) => headers['x-own']), ['1', '1', '1']);
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await assert.rejects(http.fetch(new Request(url, { signal: stop.signal }), quick), (error) => error === stop.signal.reason || error.name === 'AbortError');
    assert.equal(asked.length, 3);
  }));

  test('leaves nothing behind at a signal that lasts', withServer(() => ({ body: 'ok' }), async (_, asked, { url }) => {
    const lasting = new AbortController();
    let listening = 0;
    const listen = lasting.signal.addEventListener.bind(lasting.signal);
    lasting.signal.addEventListener = (...args) => { listening++; return listen(...args); };
    for (let n = 0; n < 3; n++) await (await http.fetch(url, { ...quick, signal: lasting.signal })).text();
    assert.equal(listening, 0);
    const silent = await serve(() => (outgoing) => { outgoing.writeHead(200); outgoing.write('x'); });
    const reader = (await http.fetch(silent.url, { signal: lasting.signal })).body.getReader();
    await reader.read();
    lasting.abort(new Error('enough'));
    await assert.rejects(reader.read(), 'what is read ends with it');
    await silent.close();
  }));

  test('gives the last answer when it gives up', withServer(flaky(99, 500), async (_, asked, { url }) => {
    assert.equal((await http.fetch(url, { ...quick, retries: 2 })).status, 500);
    assert.equal(asked.length, 3);
    assert.equal((await http.fetch(url, { ...quick, retries: 0 })).status, 500);
  }));

  test('does not try again what was refused', withServer(flaky(9, 404), async (_, asked, { url }) => {
    assert.equal((await http.fetch(url, quick)).status, 404);
    assert.equal(asked.length, 1);
  }));

  test('waits as long as it is asked to, within bounds', withServer(flaky(1, 429, { 'retry-after': '1' }), async (_, asked, { url }) => {
    const begun = Date.now();
    assert.equal((await http.fetch(url, quick)).status, 200);
    assert.ok(Date.now() - begun >= 990);
    assert.equal(asked.length, 2);
  }));

  test('does not wait longer than it may', withServer(flaky(9, 429, { 'retry-after': '3600' }), async (_, asked, { url }) => {
    assert.equal((await http.fetch(url, quick)).status, 429);
    assert.equal(asked.length, 1);
  }));

  test('ends what takes too long, and what is not wanted any more', withServer(
    (_, n) => (n === 0 ? new Promise((done) => setTimeout(done, 2000)) : { body: 'ok' }),
    async (_, asked, { url }) => {
      assert.equal(await (await http.fetch(url, { ...quick, timeout: 100 })).text(), 'ok');
      assert.equal(asked.length, 2);
      const stop = new AbortController();
      stop.abort(new Error('enough'));
      await assert.rejects(http.fetch(url, { ...quick, signal: stop.signal }), /enough/);
    }));

  test('of the server itself: what it has not begun is repeated, whatever it is', withServer(
    (_, n) => (n === 0 ? refused(503, 'API_007', 'going') : n === 1 ? { json: { id: 'x' } } : refused(502, 'FN_004', 'broke')),
    async ({ db }, asked) => {
      assert.deepEqual(await db.collection('c').create({}), { id: 'x' });
      assert.equal(asked.length, 2);
      await assert.rejects(db.collection('c').create({}), { status: 502 });
      assert.equal(asked.length, 3, 'what may have been done is not done twice');
      await assert.rejects(db.collection('c').doc('a').set({}, { ifRevision: 'r' }), { status: 502 });
      assert.equal(asked.length, 4);
    }));

  const ran = { headers: { 'x-evoke-execution-id': 'exe_1' } };
  for (const [what, ask, answer, tries] of [
    ['a function that answers 503 has run', ({ functions }) => functions.invoke('charge'), { status: 503, ...ran, json: {} }, 1],
    ['a function that answers as the server does has run', ({ functions }) => functions.invoke('charge'), refused(503, 'API_007', 'x', ran), 1],
    ['a function of its own limit has run', ({ functions }) => functions.invoke('charge'), refused(429, 'FN_007', 'x', ran), 1],
    ['a call that is not kept has run, whatever its key', ({ functions }) => functions.invoke('charge', 1, { idempotencyKey: 'k' }), refused(502, 'FN_004', 'x'), 1],
    ['a function with no place has not', ({ functions }) => functions.invoke('charge'), refused(429, 'FN_007', 'x'), 4],
    ['a function that is not there yet has not', ({ functions }) => functions.invoke('charge'), refused(503, 'API_010', 'x'), 4],
    ['a full intake has taken nothing', ({ db }) => db.collection('c').create({}), refused(503, 'EV_003', 'x'), 4],
    ['a commit that failed may be there', ({ db }) => db.collection('c').create({}), refused(503, 'ST_001', 'x'), 1],
    ['what is the same twice may fail to be committed', ({ db }) => db.collection('c').doc('a').set({}), refused(503, 'ST_001', 'x'), 4],
    ['nobody knows what a proxy means', ({ db }) => db.collection('c').create({}), { status: 503, body: 'busy' }, 1],
    ['a read may be repeated', ({ db }) => db.collection('c').doc('a').get(), { status: 503, body: 'busy' }, 4],
    ['a query is a read', ({ db }) => db.collection('c').get(), { status: 502, body: 'x' }, 4],
    ['a count is a read', ({ db }) => db.collection('c').count(), { status: 502, body: 'x' }, 4],
    ['an explanation is a read', ({ db }) => db.collection('c').explain(), { status: 502, body: 'x' }, 4],
    ['a look at a token is a read', ({ auth }) => auth.verifyToken('x'), { status: 502, body: 'x' }, 4],
    ['even one that is locked is not waited for', ({ auth }) => auth.verifyToken('x'), refused(429, 'AU_003', 'x'), 1],
    ['many documents are deleted once', ({ db }) => db.collection('c').where('a', '==', 1).delete(), { status: 502, body: 'x' }, 1],
    ['many documents are changed once', ({ db }) => db.collection('c').where('a', '==', 1).update({}), { status: 502, body: 'x' }, 1],
    ['a key makes a call that is kept one', ({ functions }) => functions.invoke('f', 1, { async: true, idempotencyKey: 'k' }), refused(502, 'X', 'x'), 4],
    ['too many passwords are no better later', ({ auth }) => auth.login('a', 'b'), refused(429, 'AU_003', 'x'), 1],
  ])
    test(`of the server itself: ${what}`, withServer(() => answer, async (client, asked) => {
      await assert.rejects(ask(client), { name: 'EvokeError', status: answer.status });
      assert.equal(asked.length, tries);
    }, { retry: { initial: 1, max: 2 } }));

  test('of many documents: it takes as long as it takes', async () => {
    const given = [];
    const answer = async (url, init) => { given.push(init.signal); return Response.json({ matched: 0, changed: 0 }); };
    const old = createClient({ url: 'http://x', fetch: answer }).db.collection('c').where('a', '==', 1);
    await old.delete();
    await old.update({ b: 1 });
    assert.ok(given.every((signal) => signal == null), 'nothing would end it');
  });

  test('of a call that is waited for: a key does not make it one that may be lost', async () => {
    let tries = 0;
    const broken = async () => { tries++; throw Object.assign(new TypeError('reset'), { code: 'ECONNRESET' }); };
    const client = createClient({ url: 'http://x', fetch: broken, retry: { initial: 1 } });
    await assert.rejects(client.functions.invoke('charge', 1, { idempotencyKey: 'k' }), { status: 0 });
    assert.equal(tries, 1);
    await assert.rejects(client.functions.invoke('charge', 1, { idempotencyKey: 'k', async: true }), { status: 0 });
    assert.equal(tries, 5);
  });

  test('says what was not reached', async () => {
    const server = await serve(() => ({}));
    await server.close();
    const client = createClient({ url: server.url, retry: { initial: 1, retries: 1 } });
    await assert.rejects(client.db.collection('c').create({}), (error) => {
      assert.ok(error instanceof EvokeError);
      assert.equal(error.status, 0);
      assert.match(error.message, /POST \/api\/collections\/c\/documents: the server at http:\/\/127.* was not reached/);
      return true;
    });
  });

  test('answers that are none of the server are told', withServer(() => ({ status: 500, body: '<h1>proxy</h1>' }), async ({ db }) => {
    await assert.rejects(db.collection('c').create({}), /POST \/api\/collections\/c\/documents answered 500: <h1>proxy/);
  }));
});

describe('in whose name', () => {
  /** Runs work with these variables, and as part of a call of a function where one is given. */
  const within = async ({ call, ...variables }, work) => {
    const names = ['EVOKE_URL', 'EVOKE_API_KEY', 'EVOKE_TOKEN'];
    const before = names.map((name) => process.env[name]);
    const put = (name, value) => (value === undefined ? delete process.env[name] : (process.env[name] = value));
    names.forEach((name) => put(name, variables[name]));
    if (call !== undefined) globalThis[Symbol.for('evoke.call')] = () => call;
    try {
      await work();
    } finally {
      names.forEach((name, at) => put(name, before[at]));
      delete globalThis[Symbol.for('evoke.call')];
    }
  };
  const seen = ({ headers }) => [headers.authorization, headers.traceparent, headers['x-request-id']];
  const noted = () => ({ json: { count: 1 } });

  test('the key of the environment is for the server of the environment', withServer(noted, async (_, asked, { url }) => {
    const other = await serve(noted);
    const count = (options) => createClient(options).db.collection('c').count();
    await within({ EVOKE_URL: url, EVOKE_API_KEY: 'evk_env' }, async () => {
      await count();
      await count({ url });
      await count({ url: `${url}/` });
      await count({ url, apiKey: 'evk_own' });
      await count({ apiKey: 'evk_own' });
      await count({ url: other.url });
      await count({ url: other.url, apiKey: 'evk_own' });
    });
    const env = 'Bearer evk_env', own = 'Bearer evk_own';
    assert.deepEqual(asked.map(({ headers }) => headers.authorization), [env, env, env, own, own]);
    assert.deepEqual(other.asked.map(({ headers }) => headers.authorization), [undefined, own]);
    await other.close();
  }));

  test('a client made in a function is part of its call, where it is for the same server', withServer(noted, async (_, asked, { url }) => {
    const other = await serve(noted);
    const call = { url, token: 'run', traceparent: 'trace', requestId: 'req' };
    await within({ EVOKE_URL: 'http://127.0.0.1:1', EVOKE_API_KEY: 'evk_env', call }, async () => {
      for (const options of [{}, { url }, { apiKey: 'evk_own' }, { url, apiKey: 'evk_own' }, { url: other.url }])
        await createClient(options).db.collection('c').count();
      await createClient({ url }).fetch('/x');
    });
    const run = ['Bearer run', 'trace', 'req'], own = ['Bearer evk_own', 'trace', 'req'];
    assert.deepEqual(asked.map(seen), [run, run, own, own, [undefined, 'trace', undefined]]);
    assert.deepEqual(other.asked.map(seen), [[undefined, undefined, undefined]]);
    await other.close();
  }));

  test('services of a call stay those of it', withServer(noted, async (_, asked, { url }) => {
    const { db: bound } = servicesOf({ url, token: 'first', traceparent: 'trace' });
    await within({ call: { url, token: 'second' } }, async () => {
      await bound.collection('c').count();
      await db.collection('c').count();
    });
    assert.deepEqual(asked.map(seen), [['Bearer first', 'trace', undefined], ['Bearer second', undefined, undefined]]);
  }));

  test('requests to anybody belong to the trace, and end with the time', withServer(() => ({ status: 503 }), async (_, asked, { url }) => {
    const call = { url, token: 'run', traceparent: 'trace', requestId: 'req', deadlineMs: Date.now() - 1 };
    await within({ call }, async () => {
      assert.equal((await http.fetch(url, { initial: 1, headers: { 'x-own': '1' } })).status, 503);
      await http.fetch(new Request(url, { headers: { 'x-own': '2' } }));
      await http.fetch(url, { headers: { traceparent: 'mine' } });
    });
    assert.deepEqual(asked.map(({ headers }) => [headers.authorization, headers.traceparent, headers['x-own']]), [
      [undefined, 'trace', '1'],
      [undefined, 'trace', '2'],
      [undefined, 'mine', undefined],
    ]);
  }));

  test('a path leads nowhere else', withServer(() => ({ body: 'ok' }), async (client, asked, { url }) => {
    for (const path of ['.evil.test/x', '@evil.test/x', ':80/x', 'x', '', 'http://evil.test/'])
      await assert.rejects(client.fetch(path), { name: 'EvokeError', code: 'API_001' }, path);
    assert.equal(asked.length, 0);
    for (const path of ['/x', '//evil.test/x', '/@evil.test']) await client.fetch(path);
    assert.equal(asked.length, 3, url);
  }));
});

describe('secrets and hooks', () => {
  test('are read of the environment', () => {
    process.env.STRIPE_KEY = 'sk_1';
    assert.equal(secrets.get('STRIPE_KEY'), 'sk_1');
    assert.ok(secrets.has('STRIPE_KEY') && !secrets.has('NOPE_NOPE'));
    assert.throws(() => secrets.get('STRIPE_KY'), /there is no secret "STRIPE_KY" \(did you mean STRIPE_KEY\?\): .*environment: \{ STRIPE_KY: "\$\{secrets.STRIPE_KY\}" \}/);
    assert.throws(() => secrets.get('XQZWVJKPLM'), /there is no secret "XQZWVJKPLM": /);
  });

  test('say no', () => {
    assert.deepEqual(reject('no'), { reject: { message: 'no' } });
    assert.deepEqual(reject('no', { status: 403, problems: [{ field: 'a', message: 'b' }] }), { reject: { message: 'no', status: 403, problems: [{ field: 'a', message: 'b' }] } });
    assert.throws(() => reject('no', { status: 500 }), RangeError);
  });
});
