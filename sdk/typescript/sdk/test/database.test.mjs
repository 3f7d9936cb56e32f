import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EvokeError } from '../dist/index.js';
import { all, refused, withServer } from './server.mjs';

const ada = { id: 'ada', email: 'ada@example.com', _revision: 'evt_1', _created_at: 'x', _updated_at: 'x' };

describe('queries', () => {
  test('are sent as they are written', withServer(
    () => ({ json: { data: [ada], next_cursor: null } }),
    async ({ db }, asked) => {
      const found = await db.collection('users').where('active', '==', true)
        .where('born', '<', new Date('2000-01-01T00:00:00+01:00')).where('role', 'in', ['a', null, 3])
        .orderBy('age', 'desc').orderBy('name').limit(20).get();
      assert.deepEqual(found, [ada]);
      const [{ method, path, json, headers }] = asked;
      assert.deepEqual([method, path, headers.authorization], ['POST', '/api/collections/users/query', 'Bearer evk_test']);
      assert.deepEqual(json, {
        where: [['active', '==', true], ['born', '<', '1999-12-31T23:00:00.000Z'], ['role', 'in', ['a', null, 3]]],
        order_by: ['-age', 'name'],
        limit: 20,
      });
    }));

  test('do not change each other', withServer(
    () => ({ json: { data: [], next_cursor: null } }),
    async ({ db }, asked) => {
      const users = db.collection('users').where('a', '==', 1);
      await users.where('b', '==', 2).limit(1).get();
      assert.equal(await users.first(), null);
      assert.deepEqual(asked.map(({ json }) => [json.where.length, json.limit]), [[2, 1], [1, 1]]);
    }));

  test('go through all pages, as far as they are wanted', withServer(
    ({ json }) => {
      const at = Number(json.cursor ?? 0);
      const data = Array.from({ length: Math.min(json.limit, 3, 8 - at) }, (_, n) => ({ id: String(at + n) }));
      return { json: { data, next_cursor: at + data.length < 8 ? String(at + data.length) : null } };
    },
    async ({ db }, asked) => {
      const ids = (documents) => documents.map(({ id }) => id).join('');
      assert.equal(ids(await db.collection('c').get()), '01234567');
      assert.equal(ids(await db.collection('c').limit(5).get()), '01234');
      assert.deepEqual(asked.slice(-2).map(({ json }) => json.limit), [5, 2]);
      const before = asked.length;
      for await (const { id } of db.collection('c')) if (id === '4') break;
      assert.equal(asked.length - before, 2);
      assert.equal(ids(await all(db.collection('c').orderBy('id'))), '01234567');
    }));

  test('end where nobody would want them to go on', withServer(
    () => ({ json: { data: Array.from({ length: 1000 }, () => ada), next_cursor: 'more' } }),
    async ({ db }, asked) => {
      await assert.rejects(db.collection('c').get(), /more than 10000 documents: give a limit/);
      assert.equal(asked.length, 11);
    }));

  test('count, change and delete', withServer(
    ({ method }) => ({ json: method === 'POST' ? { count: 7 } : { matched: 3, changed: 2 } }),
    async ({ db }, asked) => {
      const old = db.collection('sessions').where('expiresAt', '<', new Date(0));
      assert.equal(await old.count(), 7);
      assert.equal(await old.limit(5).count(), 5);
      assert.deepEqual(await old.update({ gone: true }), { matched: 3, changed: 2 });
      assert.deepEqual(await old.delete(), { matched: 3, changed: 2 });
      const where = [['expiresAt', '<', '1970-01-01T00:00:00.000Z']];
      assert.deepEqual(asked[2].json, { where, set: { gone: true } });
      assert.deepEqual([asked[3].method, asked[3].path], ['DELETE', '/api/collections/sessions/documents']);
      assert.deepEqual(JSON.parse(asked[3].query.get('where')), where);
    }));

  test('refuse what would be misunderstood', withServer(() => ({}), async ({ db }, asked) => {
    const users = db.collection('users');
    for (const value of [undefined, NaN, Infinity, {}, new Date('x'), [undefined], () => 1])
      assert.throws(() => users.where('a', '==', value), EvokeError);
    assert.throws(() => users.limit(0), EvokeError);
    assert.throws(() => users.orderBy('a', 'down'), EvokeError);
    assert.throws(() => users.delete(), /without where\(\) would take all/);
    assert.throws(() => users.where('a', '==', 1).limit(1).delete(), /no limit/);
    for (const name of ['', '.', '..', undefined]) assert.throws(() => db.collection(name), EvokeError);
    assert.throws(() => users.doc('..'), EvokeError);
    assert.equal(asked.length, 0);
  }));
});

describe('documents', () => {
  test('are created, read, set, changed and deleted', withServer(
    ({ method }) => (method === 'DELETE' ? { status: 204 } : { json: ada }),
    async ({ db }, asked) => {
      const users = db.collection('users');
      const one = users.doc('a/b ä');
      assert.deepEqual(await users.create({ email: 'x', at: new Date(0) }), ada);
      assert.deepEqual(await one.get(), ada);
      await one.set({ a: 1 });
      await one.set({ a: 1 }, { ifRevision: 'evt_1' });
      await one.create({ a: 1 });
      await one.update({ a: null }, { ifRevision: 'evt_1' });
      assert.equal(await one.delete({ ifRevision: 'evt_1' }), true);
      const told = asked.map(({ method, path, query, headers }) => [method, path, query.toString(), headers['if-match'], headers['if-none-match']]);
      const path = '/api/collections/users/documents/a%2Fb%20%C3%A4';
      assert.deepEqual(told, [
        ['POST', '/api/collections/users/documents', '', undefined, undefined],
        ['GET', path, '', undefined, undefined],
        ['PUT', path, 'upsert=true', undefined, undefined],
        ['PUT', path, '', '"evt_1"', undefined],
        ['PUT', path, '', undefined, '*'],
        ['PATCH', path, '', '"evt_1"', undefined],
        ['DELETE', path, '', '"evt_1"', undefined],
      ]);
      assert.deepEqual(asked[0].json, { email: 'x', at: '1970-01-01T00:00:00.000Z' });
    }));

  test('that are not there are null', withServer(
    ({ path }) => (path.endsWith('/nowhere') ? refused(404, 'API_002', 'no such path') : refused(404, 'DB_001', 'no document')),
    async ({ db }) => {
      assert.equal(await db.collection('users').doc('x').get(), null);
      assert.equal(await db.collection('users').doc('x').delete(), false);
      await assert.rejects(db.collection('users').doc('x').update({}), { code: 'DB_001', status: 404 });
      await assert.rejects(db.collection('users').doc('nowhere').get(), { code: 'API_002' });
    }));

  test('are created in bulk', withServer(
    ({ json }) => ({ status: 201, json: { data: json } }),
    async ({ db }, asked) => {
      assert.deepEqual(await db.collection('c').createMany([{ n: 1 }, { n: 2 }]), [{ n: 1 }, { n: 2 }]);
      assert.deepEqual(await db.collection('c').createMany([]), []);
      await assert.rejects(db.collection('c').createMany(Array(1001).fill({})), /takes 1000 documents/);
      assert.throws(() => db.collection('c').create([{ n: 1 }]), /createMany takes an array/);
      assert.equal(asked.length, 1);
    }));

  test('hold nothing that would be null unseen', withServer(() => ({ json: ada }), async ({ db, events, functions }, asked) => {
    const users = db.collection('users');
    for (const bad of [NaN, Infinity, -Infinity, new Date('x')]) {
      for (const send of [
        () => users.create({ a: { b: [1, bad] } }),
        () => users.createMany([{ a: bad }]),
        () => users.doc('x').set({ a: bad }),
        () => users.doc('x').update({ a: bad }),
        () => users.where('a', '==', 1).update({ a: bad }),
        () => db.transaction((t) => t.collection('users').doc('x').set({ a: bad })),
        () => events.publish('a', bad),
        () => functions.invoke('a', { a: bad }),
      ])
        await assert.rejects(async () => send(), (error) => error instanceof EvokeError && /cannot be sent as JSON/.test(error.message), String(send));
    }
    assert.equal(asked.length, 0);
    await users.create({ a: null, b: -0, c: 1e308, d: new Date(0), e: { toJSON: () => 'x' } });
    assert.deepEqual(asked[0].json, { a: null, b: 0, c: 1e308, d: '1970-01-01T00:00:00.000Z', e: 'x' });
  }));

  test('are refused with everything the server says', withServer(
    () => refused(422, 'DB_003', 'the document does not fit', { problems: [{ field: 'email', message: 'is missing', suggestion: 'give one' }] }),
    async ({ db }) => {
      const error = await db.collection('c').create({}).catch((error) => error);
      assert.ok(error instanceof EvokeError && error instanceof Error);
      const { name, code, status, problems, requestId, docs, message } = error;
      assert.deepEqual({ name, code, status, requestId, docs }, { name: 'EvokeError', code: 'DB_003', status: 422, requestId: 'req_1', docs: '/docs/errors/DB_003' });
      assert.equal(problems[0].field, 'email');
      assert.equal(message, 'the document does not fit: email is missing (give one)');
    }));
});

describe('transactions', () => {
  const reading = (revisions) => ({ method, path }) => {
    if (method !== 'GET') return { json: { data: [] } };
    const revision = revisions[path.split('/').at(-1)];
    return revision === undefined ? refused(404, 'DB_001', 'no document') : { json: { id: path.split('/').at(-1), n: 1, _revision: revision } };
  };

  test('say what they were based on', withServer(reading({ a: 'evt_a', b: 'evt_b', c: 'evt_c', late: 'evt_late' }), async ({ db }, asked) => {
    const result = await db.transaction(async (t) => {
      const accounts = t.collection('accounts');
      const a = await accounts.doc('a').get();
      assert.equal((await accounts.doc('a').get()), a, 'read once');
      await accounts.doc('b').get();
      assert.equal(await accounts.doc('none').get(), null);
      assert.equal(await accounts.doc('none').get(), null);
      assert.equal(await accounts.doc('none but looked for').get(), null);
      const [one, two] = await Promise.all([accounts.doc('c').get(), accounts.doc('c').get()]);
      assert.equal(one, two, 'read once, however many look at once');
      const late = accounts.doc('late').get();
      accounts.doc('late').update({ n: 5 });
      await late;
      accounts.doc('a').update({ n: a.n + 1 });
      accounts.doc('none').set({ n: 0 });
      accounts.doc('blind').delete();
      accounts.create({ n: 9 });
      assert.throws(() => accounts.doc('a').set({}), /changed twice/);
      await assert.rejects(accounts.doc('blind').get(), /was changed in this transaction/);
      return 'done';
    });
    assert.equal(result, 'done');
    assert.deepEqual(asked.at(-1).json.operations, [
      { op: 'check', collection: 'accounts', id: 'b', if_match: 'evt_b' },
      { op: 'check', collection: 'accounts', id: 'none but looked for', revision: null },
      { op: 'check', collection: 'accounts', id: 'c', if_match: 'evt_c' },
      { op: 'update', collection: 'accounts', id: 'late', document: { n: 5 }, if_match: 'evt_late' },
      { op: 'update', collection: 'accounts', id: 'a', document: { n: 2 }, if_match: 'evt_a' },
      { op: 'create', collection: 'accounts', id: 'none', document: { n: 0 } },
      { op: 'delete', collection: 'accounts', id: 'blind' },
      { op: 'create', collection: 'accounts', document: { n: 9 } },
    ]);
    assert.equal(asked.filter(({ method }) => method === 'GET').length, 6);
  }));

  let rounds = 0;
  test('begin anew when what they read has changed', withServer(
    (request) => {
      if (request.method === 'GET') return { json: { id: 'a', n: rounds, _revision: `evt_${rounds}` } };
      return ++rounds < 3 ? refused(412, 'DB_004', 'changed') : { json: { data: [] } };
    },
    async ({ db }, asked) => {
      await db.transaction(async (t) => t.collection('c').doc('a').update({ n: (await t.collection('c').doc('a').get()).n + 1 }));
      assert.deepEqual(asked.filter(({ method }) => method === 'POST').map(({ json }) => json.operations[0].if_match), ['evt_0', 'evt_1', 'evt_2']);
    }));

  test('that cannot be made are not tried for ever', withServer(
    ({ method }) => (method === 'GET' ? { json: { id: 'a', _revision: 'evt_1' } } : refused(412, 'DB_004', 'changed')),
    async ({ db }, asked) => {
      const work = async (t) => t.collection('c').doc('a').update({ n: (await t.collection('c').doc('a').get()).n });
      await assert.rejects(db.transaction(work, { attempts: 2 }), { code: 'DB_004' });
      assert.equal(asked.length, 4);
      await assert.rejects(db.transaction((t) => t.collection('c').create({})), { code: 'DB_004' });
      assert.equal(asked.length, 5, 'nothing was read, so nothing can be different');
      await assert.rejects(db.transaction(() => { throw new Error('mine'); }), /mine/);
      assert.equal(asked.length, 5);
    }));
});

describe('changes', () => {
  const change = (id) => `id: ${id}\nevent: change\ndata: ${JSON.stringify({ event_id: id, action: 'create' })}\n\n`;

  test('go on where the connection broke', withServer(
    ({ headers }, n) => (outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      if (n === 0) {
        outgoing.write(`: hello\n\n${change('evt_1').slice(0, 9)}`);
        setTimeout(() => { outgoing.write(change('evt_1').slice(9)); outgoing.write(change('evt_2')); outgoing.write('data: {"half'); setTimeout(() => outgoing.destroy(), 20); }, 20);
      } else outgoing.write(change(`${headers['last-event-id']}+`));
    },
    async ({ db }, asked) => {
      const stop = new AbortController();
      const seen = [];
      for await (const { event_id } of db.collection('c').changes({ action: 'create', after: 'evt_0', signal: stop.signal })) {
        seen.push(event_id);
        if (seen.length === 3) stop.abort();
      }
      assert.deepEqual(seen, ['evt_1', 'evt_2', 'evt_2+']);
      assert.deepEqual(asked.map(({ headers }) => headers['last-event-id']), ['evt_0', 'evt_2']);
      assert.equal(asked[0].query.get('action'), 'create');
    }));

  test('go on where they began, though nothing has happened yet', withServer(
    ({ headers }, n) => (outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      if (n > 0) return void outgoing.write(change(`${headers['last-event-id']}+`));
      outgoing.write('id: evt_0\n\n: alive\n\n');
      setTimeout(() => outgoing.destroy(), 20);
    },
    async ({ db }, asked) => {
      for await (const { event_id } of db.collection('c').changes()) { assert.equal(event_id, 'evt_0+'); break; }
      assert.deepEqual(asked.map(({ headers }) => headers['last-event-id']), [undefined, 'evt_0']);
    }));

  test('that were missed are told', withServer(
    () => (outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      outgoing.write(`event: missed\ndata: {"since":"2026-01-01T00:00:00Z"}\n\n${change('evt_9')}`);
    },
    async ({ db }, asked) => {
      const following = db.collection('c').changes({ after: 'evt_1' }).next();
      await assert.rejects(following, (error) => error instanceof EvokeError && error.status === 410 && /before 2026-01-01T00:00:00Z/.test(error.message));
      assert.equal(asked.length, 1);
    }));

  test('that are refused end', withServer(() => refused(404, 'DB_002', 'no collection'), async ({ db }) => {
    await assert.rejects(db.collection('c').changes().next(), { code: 'DB_002' });
  }));

  test('end with the loop', withServer(
    () => (outgoing) => { outgoing.writeHead(200, { 'content-type': 'text/event-stream' }); outgoing.write(change('evt_1')); },
    async ({ db }) => {
      for await (const { event_id } of db.collection('c').changes()) { assert.equal(event_id, 'evt_1'); break; }
    }));
});
