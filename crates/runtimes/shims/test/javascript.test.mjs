// The worker of JavaScript functions, seen from the server's side, under each interpreter: `node --test javascript.test.mjs`.
// EVOKE_TEST_TOOLS names the folder the interpreters are in (see server.mjs); ONLY=node22 runs one of them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { context, folder, INTERPRETERS, KIND, requestPayload, shim, u32, Worker } from './server.mjs';

const only = process.env.ONLY?.split(',') ?? Object.keys(INTERPRETERS);
const chosen = Object.entries(INTERPRETERS).filter(([name]) => only.includes(name));

const file = shim('javascript.mjs');

for (const [name, path] of chosen) {
  const open = new Set();
  const start = async (env) => {
    const worker = await Worker.start([path, file], env);
    open.add(worker);
    return worker;
  };
  /** A worker that has loaded these files, or this text as index.mjs. */
  const loaded = async (files, handler, more) => {
    const worker = await start();
    const answer = await worker.load(
      folder(typeof files === 'string' ? { 'index.mjs': files } : files),
      handler,
      more,
    );
    assert.equal(answer.ok, true, answer.message);
    return worker;
  };
  const refused = async (files, handler) => (await start()).load(folder(files), handler);
  const ended = async (call) => {
    await call.done;
    return call;
  };
  const lines = (call) => call.logs.map(({ line }) => line);

  describe(name, { concurrency: 2, timeout: 60_000 }, () => {
    after(() => Promise.all([...open].map((worker) => worker.close())));

    test('says hello', async () => {
      const worker = await start();
      assert.equal(worker.hello.protocol, 1);
      assert.equal(worker.hello.runtime, name === 'bun' ? 'bun' : 'node');
      assert.match(worker.hello.version, /^\d+\.\d+\.\d+/);
      assert.equal(worker.hello.pid, worker.process.pid);
    });

    test('answers events with what the handler returns', async () => {
      const worker = await loaded(`
        const values = { none: undefined, null: null, text: 'ä€😀', list: [1, { a: true }], number: 1.5, date: new Date(0) };
        export const handler = (event) => event.data.async ? Promise.resolve(values[event.data.key]) : values[event.data.key];`);
      for (const [key, wanted] of Object.entries({
        none: undefined,
        null: null,
        text: 'ä€😀',
        list: [1, { a: true }],
        number: 1.5,
        date: '1970-01-01T00:00:00.000Z',
      })) {
        for (const async of [false, true]) {
          const call = await ended(worker.event({ key, async }));
          assert.equal(call.kind, KIND.RESULT);
          assert.deepEqual(call.result, wanted);
        }
      }
    });

    test('takes frames however they are cut, and many at once', async () => {
      const worker = await loaded(
        `export const handler = async (event) => { await null; return event.data; };`,
      );
      const big = 'x€'.repeat(400_000);
      const write = worker.socket.write.bind(worker.socket);
      const pieces = [];
      worker.socket.write = (bytes) => pieces.push(bytes);
      const all = [1, big, 2, 'three', big].map((data) => worker.event(data));
      const bytes = Buffer.concat(pieces);
      for (let at = 0; at < 300; at += 7) {
        write(bytes.subarray(at, Math.min(at + 7, 300)));
        await new Promise(setImmediate);
      }
      write(bytes.subarray(300));
      const results = await Promise.all(all.map(ended));
      assert.deepEqual(
        results.map(({ result }) => result),
        [1, big, 2, 'three', big],
      );
    });

    test('gives a context', async () => {
      const worker = await loaded(
        `
        export const handler = async (event, context) => {
          await null;
          const { requestId, executionId, attempt, trigger, traceparent, token } = context;
          return { requestId, executionId, attempt, trigger, traceparent, token, function: context.function, deadline: context.deadline instanceof Date && +context.deadline,
            left: context.remainingMs(), aborted: context.signal.aborted, same: context.env === process.env, json: JSON.parse(JSON.stringify(context)).executionId,
            env: [process.env.EVOKE_URL, process.env.EVOKE_FUNCTION, process.env.EVOKE_TOKEN, process.env.EVOKE_EXECUTION_ID, process.env.MINE, process.env.EVOKE_SOCKET], cwd: process.cwd() };
        };`,
        undefined,
        { environment: { MINE: 'yes' }, url: 'http://127.0.0.1:8090' },
      );
      const deadlineMs = Date.now() + 5000;
      const { result } = await ended(
        worker.event(1, { requestId: 'req_1', attempt: 2, traceparent: '00-a-b-01', deadlineMs }),
      );
      assert.ok(result.left > 3000 && result.left <= 5000);
      assert.deepEqual(result.env, [
        'http://127.0.0.1:8090',
        'demo',
        'tok_1',
        'exe_1',
        'yes',
        null,
      ]);
      assert.ok(result.cwd.endsWith(worker.code.split('/').at(-1)));
      const { left, env, cwd, ...rest } = result;
      assert.deepEqual(rest, {
        requestId: 'req_1',
        executionId: 'exe_1',
        attempt: 2,
        trigger: { kind: 'event', name: 'all' },
        traceparent: '00-a-b-01',
        token: 'tok_1',
        function: { name: 'demo', version: 3 },
        deadline: deadlineMs,
        aborted: false,
        same: true,
        json: 'exe_1',
      });
    });

    test('hands over several events at once', async () => {
      const worker = await loaded(`
        export const handler = async (events, context) => {
          if (events.length > 9) return [events.length, context.batch, events.at(-1).data];
          return { failed: events.filter(({ data }) => data < 0).map(({ id }) => ({ id })), batch: context.batch };
        };`);
      const some = await ended(worker.batch([1, -2, 3]));
      assert.deepEqual(some.result, { failed: [{ id: 'e1' }], batch: { size: 3 } });
      const none = await ended(worker.batch([]));
      assert.deepEqual(none.result, { failed: [], batch: { size: 0 } });
      const many = Array.from({ length: 10_000 }, (_, n) => `${n} `.padEnd(1_000, '€'));
      const all = await ended(worker.batch(many));
      assert.deepEqual(all.result, [10_000, { size: 10_000 }, many.at(-1)]);
    });

    test('marks replays and test runs', async () => {
      const worker = await loaded(`
        export const handler = (event, context) =>
          [context.isReplay, context.isTestRun, context.batch === undefined, JSON.stringify(context).includes('"isReplay":true')];`);
      assert.deepEqual((await ended(worker.event(1))).result, [false, false, true, false]);
      const marked = worker.event(1, { isReplay: true, isTestRun: true });
      assert.deepEqual((await ended(marked)).result, [true, true, true, true]);
    });

    test('keeps the variables of each call apart, children included', async () => {
      const worker = await loaded(`
        import { execFileSync } from 'node:child_process';
        export const handler = async () => {
          await new Promise((done) => setTimeout(done, 5));
          process.env.LATER = 'x';
          const child = execFileSync('/bin/sh', ['-c', 'echo $EVOKE_TOKEN $LATER']).toString().trim();
          return [process.env.EVOKE_EXECUTION_ID, child, 'EVOKE_TOKEN' in process.env, Object.keys(process.env).includes('EVOKE_TOKEN')];
        };`);
      const all = await Promise.all(
        ['a', 'b'].map((id) => ended(worker.event(0, { executionId: id, token: `t-${id}` }))),
      );
      assert.deepEqual(
        all.map(({ result }) => result),
        [
          ['a', 't-a x', true, true],
          ['b', 't-b x', true, true],
        ],
      );
    });

    test('tells what a handler threw', async () => {
      const worker = await loaded(`
        class Broken extends Error { name = 'Broken'; }
        const throwing = {
          error: () => { throw new Broken('no luck'); },
          cause: () => { throw new Error('outer', { cause: new TypeError('inner') }); },
          text: () => { throw 'just text'; },
          none: () => { throw undefined; },
          object: () => { throw { a: 1 }; },
          never: () => { throw Object.assign(new Error('bad input'), { retry: false }); },
          later: () => { throw Object.assign(new Error('busy'), { retryAfter: 1.5 }); },
          plain: () => { throw { retry: false, retryAfter: 2 }; },
          hostile: () => { throw new Proxy({}, { get() { throw new Error('gotcha'); } }); },
          circular: () => { const a = {}; a.a = a; return a; },
          bigint: () => 10n,
          symbol: () => Symbol('s'),
          function: () => () => {},
          json: () => ({ toJSON() { throw new Error('no json'); } }),
          getter: () => ({ get then() { throw new Error('gotten'); } }),
          odd: () => { throw { constructor: { name: 10n } }; },
          thenable: () => ({ then(_, fail) { fail(new Error('thenable')); } }),
        };
        export const handler = (event) => event.data.async ? (async () => throwing[event.data.key]())() : throwing[event.data.key]();`);
      const errors = {};
      const keys = [
        'error',
        'cause',
        'text',
        'none',
        'object',
        'never',
        'later',
        'plain',
        'hostile',
        'circular',
        'bigint',
        'symbol',
        'function',
        'json',
        'thenable',
        'getter',
        'odd',
      ];
      for (const key of keys) {
        for (const async of [false, true]) {
          const call = await ended(worker.event({ key, async }));
          assert.equal(call.kind, KIND.ERROR, key);
          errors[key] = call.error;
        }
      }
      assert.deepEqual([errors.error.message, errors.error.type], ['no luck', 'Broken']);
      assert.match(errors.error.stack, /index\.mjs:4/);
      assert.doesNotMatch(errors.error.stack, /javascript\.mjs/);
      assert.match(errors.cause.stack, /caused by: TypeError: inner/);
      assert.deepEqual(errors.text, { message: 'just text', type: 'String' });
      assert.deepEqual(errors.none, { message: 'undefined', type: 'undefined' });
      assert.match(errors.object.message, /a: 1/);
      assert.equal(errors.never.retry, false);
      assert.equal(errors.later.retryAfterMs, 1500);
      assert.deepEqual([errors.plain.retry, errors.plain.retryAfterMs], [false, 2000]);
      assert.match(errors.circular.message, /circular|cyclic/i);
      assert.match(errors.bigint.message, /BigInt/);
      assert.match(errors.symbol.message, /returned a symbol/);
      assert.match(errors.function.message, /returned a function/);
      assert.equal(errors.json.message, 'no json');
      assert.equal(errors.thenable.message, 'thenable');
      assert.equal(errors.getter.message, 'gotten');
      assert.equal(errors.odd.type, '10');
    });

    test('refuses an answer that fits no frame', async () => {
      const worker = await loaded(`export const handler = () => 'x'.repeat(65 << 20);`);
      assert.match((await ended(worker.event(0))).error.message, /64 MiB/);
      assert.match((await ended(worker.request())).error.message, /64 MiB/);
    });

    test('attributes what is printed to its call', async () => {
      const worker = await loaded(`
        console.log('while loading');
        export const handler = async (event, context) => {
          const { n } = event.data;
          console.debug('d', n);
          await new Promise((done) => setTimeout(done, 10 - n));
          console.log('%s is %d', 'n', n, { deep: { a: [1] } });
          console.info('two\\nlines'); console.warn('w'); console.error(new Error('e').message);
          context.log.warn('own', n);
          process.stdout.write('part');
          await null;
          process.stdout.write('ial\\nrest');
          process.stderr.write('err\\n');
          console.group('g'); console.log('in'); console.groupEnd(); console.log('out');
          console.assert(n < 0, 'held'); console.dir({ a: 1 }); console.table([[1]]); console.count('c');
          console.trace('here');
          return n;
        };`);
      assert.deepEqual(worker.strays, [{ level: 1, line: 'while loading' }]);
      const all = await Promise.all([1, 2, 3].map((n) => ended(worker.event({ n }))));
      for (const [i, call] of all.entries()) {
        const n = i + 1;
        const expected = [
          [0, `d ${n}`],
          [1, `n is ${n} { deep: { a: [${name === 'bun' ? ' 1 ' : ' 1 '}] } }`],
          [1, 'two\nlines'],
          [2, 'w'],
          [3, 'e'],
          [2, `own ${n}`],
          [1, 'partial'],
          [3, 'err'],
          [1, 'g'],
          [1, '  in'],
          [1, 'out'],
          [3, 'Assertion failed: held'],
          [1, '{ a: 1 }'],
        ];
        assert.deepEqual(
          call.logs.slice(0, 13).map(({ level, line }) => [level, line]),
          expected,
        );
        assert.match(call.logs[13].line, /index/);
        assert.match(call.logs[14].line, /^c: \d$/);
        assert.match(call.logs[15].line, /Trace: here\n.*index\.mjs/);
        assert.equal(call.logs[16].line, 'rest');
      }
      assert.equal(worker.stderr, '');
    });

    test('bounds what is printed', async () => {
      const worker = await loaded(`
        export const handler = (event) => {
          if (event.data === 'long') console.log('x'.repeat(100_000));
          if (event.data === 'lines') for (let i = 0; i < 1_000_000; i++) console.log('y'.repeat(100));
          if (event.data === 'write') for (let i = 0; i < 1000; i++) process.stdout.write('z'.repeat(100_000) + '\\n');
          if (event.data === 'once') process.stdout.write(('z'.repeat(1000) + '\\n').repeat(100_000));
          return process.memoryUsage().rss;
        };`);
      const long = await ended(worker.event('long'));
      assert.match(long.logs[0].line, /^x{65536} … \[cut after 65536 characters\]$/);
      for (const key of ['lines', 'write', 'once']) {
        const call = await ended(worker.event(key));
        const bytes = call.logs.reduce((sum, { line }) => sum + line.length, 0);
        assert.ok(bytes < 1.2 * (1 << 20), `${key}: ${bytes}`);
        assert.equal(call.logs.at(-1).level, 2);
        assert.match(call.logs.at(-1).line, /more log messages were dropped/);
        assert.ok(call.result < 600 << 20, `${key}: ${call.result}`);
      }
      assert.equal((await ended(worker.event('none'))).logs.length, 0);
    });

    test('sends lines before the handler blocks', async () => {
      const worker = await loaded(
        `export const handler = () => { console.log('before'); for (;;); };`,
      );
      const call = worker.event(0);
      while (call.logs.length === 0) await once(worker, 'frame');
      assert.deepEqual(lines(call), ['before']);
      worker.process.kill('SIGKILL');
    });

    test('sends what was printed before an exit', async () => {
      const worker = await loaded(
        `export const handler = () => { console.log('bye'); process.exit(7); };`,
      );
      const call = worker.event(0);
      assert.equal(await worker.gone, 7);
      assert.deepEqual(lines(call), ['bye']);
    });

    test('ends the call of an uncaught error', async () => {
      const worker = await loaded(`
        export const handler = async (event) => {
          if (event.data === 'timer') setTimeout(() => { throw new Error('in a timer'); }, 5);
          if (event.data === 'rejection') Promise.reject(new Error('forgotten'));
          if (event.data === 'slow') return new Promise((done) => setTimeout(() => done('slow'), 60));
          if (event.data === 'late') { setTimeout(() => { throw new Error('too late'); }, 5); return 'late'; }
          return new Promise(() => {});
        };`);
      const slow = worker.event('slow');
      assert.equal((await ended(worker.event('timer'))).error.message, 'in a timer');
      if (name === 'bun') {
        // Bun runs the handler of unhandled rejections outside of any context.
        worker.event('rejection');
        while (worker.strays.length === 0) await once(worker, 'frame');
        assert.match(worker.strays.shift().line, /Unhandled rejection: Error: forgotten/);
      } else {
        assert.equal((await ended(worker.event('rejection'))).error.message, 'forgotten');
      }
      assert.equal((await ended(worker.event('late'))).result, 'late');
      assert.equal((await ended(slow)).result, 'slow');
      assert.match(worker.strays[0].line, /Uncaught exception: Error: too late/);
      assert.equal(worker.process.exitCode, null);
    });

    test('ends with an uncaught error of nobody, but not with a rejection', async () => {
      const worker = await loaded(`
        setTimeout(() => Promise.reject(new Error('nobody waits')), 1);
        setTimeout(() => { throw new Error('nobody caught'); }, 80);
        export const handler = () => 1;`);
      assert.equal(await worker.gone, 1);
      assert.match(worker.strays[0].line, /Unhandled rejection: Error: nobody waits/);
      assert.match(
        worker.strays.at(-1).line,
        /Uncaught exception: Error: nobody caught\n.*index\.mjs/,
      );
    });

    test('gives requests as web requests', async () => {
      const worker = await loaded(`
        export const handler = async (req, context) => {
          const twin = req.clone();
          const copy = new Request(req.clone(), { headers: { 'x-new': '1' } });
          const out = { is: req instanceof Request, method: req.method, url: req.url, accept: req.headers.get('Accept'), all: [...req.headers].length, params: req.params, same: context.params.id,
            query: new URL(req.url).searchParams.get('q'), usedBefore: req.bodyUsed, mode: typeof req.mode, aborted: req.signal.aborted, name: copy.headers.get('x-new'), copied: await copy.text() };
          if (req.method === 'GET') return Response.json({ ...out, body: req.body, text: await req.text() });
          const kind = req.headers.get('x-kind');
          if (kind === 'form') out.form = Object.fromEntries(await req.formData());
          else if (kind === 'body') { out.body = ''; for await (const chunk of req.body) out.body += Buffer.from(chunk); }
          else if (kind === 'buffer') out.buffer = [...new Uint8Array(await req.arrayBuffer())].length;
          else if (kind === 'blob') out.blob = (await req.blob()).size;
          else out.json = await req.json();
          out.usedAfter = req.bodyUsed;
          out.again = await req.text().catch((error) => error.name);
          out.twin = (await twin.text()).length;
          return Response.json(out);
        };`);
      const body = async (request, bytes) => {
        const call = await ended(worker.request(request, bytes));
        assert.equal(call.kind, KIND.RESPONSE, JSON.stringify(call.error));
        return JSON.parse(call.body.toString());
      };
      const get = await body({
        url: 'http://x.test/api/users/7?q=%C3%A4',
        headers: [
          ['accept', 'a/b'],
          ['cookie', 'c=1'],
        ],
        params: { id: '7' },
      });
      assert.deepEqual(get, {
        is: true,
        method: 'GET',
        url: 'http://x.test/api/users/7?q=%C3%A4',
        accept: 'a/b',
        all: 2,
        params: { id: '7' },
        same: '7',
        query: 'ä',
        usedBefore: false,
        mode: 'string',
        aborted: false,
        name: '1',
        copied: '',
        body: null,
        text: '',
      });
      const post = { method: 'POST', headers: [['content-type', 'application/json']] };
      const json = await body(post, '\ufeff{"ä":[1]}');
      assert.deepEqual([json.json, json.usedAfter, json.again], [{ ä: [1] }, true, 'TypeError']);
      const of = (kind, type = 'text/plain') => ({
        method: 'PUT',
        headers: [
          ['x-kind', kind],
          ['content-type', type],
        ],
      });
      assert.deepEqual(
        (await body(of('form', 'application/x-www-form-urlencoded'), 'a=1&b=%20')).form,
        { a: '1', b: ' ' },
      );
      assert.equal((await body(of('body'), 'streamed')).body, 'streamed');
      assert.equal((await body(of('buffer'), 'four')).buffer, 4);
      assert.equal((await body(of('blob'), 'four!')).blob, 5);
      const broken = await ended(worker.request(post, '{"a":'));
      assert.equal(broken.error.type, 'SyntaxError');
    });

    test('answers requests with web responses', async () => {
      const worker = await loaded(`
        const answers = {
          text: () => new Response('hällo'),
          empty: () => new Response(null, { status: 204 }),
          json: () => Response.json({ a: 1 }, { status: 201, headers: { 'X-One': '1', 'set-cookie': 'a=1' } }),
          cookies: () => { const r = new Response('c', { headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }); r.headers.append('set-cookie', 'c=3'); r.headers.set('x', 'y'); return r; },
          headers: () => new Response('h', { headers: new Headers({ 'content-type': 'text/html' }) }),
          bytes: () => new Response(new Uint8Array([1, 2, 255])),
          buffer: () => new Response(new Uint8Array([1, 2]).buffer),
          search: () => new Response(new URLSearchParams({ a: 'b c' })),
          redirect: () => Response.redirect('http://x.test/y', 303),
          clone: () => new Response('twice').clone(),
          blob: () => new Response(new Blob(['bl', 'ob'], { type: 'text/x' })),
          form: () => { const f = new FormData(); f.set('k', 'v'); return new Response(f); },
          real: () => fetch('data:text/plain,fetched'),
          string: () => 'plain', nothing: () => undefined, null: () => null, object: () => ({ b: 2 }), list: () => [1], number: () => 7, raw: () => Buffer.from('raw'),
          status: () => new Response('', { status: 99 }),
          header: () => new Response('', { headers: { 'x': 'a\\nb' } }),
          nobody: () => new Response('x', { status: 204 }),
          bigint: () => Response.json(1n), used: async () => { const r = new Response('x'); await r.text(); return (await r.text().catch((e) => e.name)); },
          checks: async () => { const r = Response.json({ a: 1 }); const f = await fetch('data:,x'); class Mine extends Response {}; return [r instanceof Response, f instanceof Response, new Mine('m') instanceof Mine, f instanceof Mine,
            r.constructor === Response, r.ok, r.status, r.bodyUsed, await r.clone().json(), await r.json(), r.bodyUsed, r.headers.get('content-type'), Object.getPrototypeOf(Response.prototype) === Object.getPrototypeOf(f)]; },
        };
        export const handler = (req) => answers[new URL(req.url).pathname.slice(1)]();`);
      const get = async (key) => {
        const call = await ended(worker.request({ url: `http://x.test/${key}` }));
        return (
          call.error ?? [
            call.head.status,
            call.body.toString('latin1'),
            ...call.head.headers.map((pair) => pair.join('=')),
          ]
        );
      };
      const text = 'content-type=text/plain;charset=UTF-8';
      assert.deepEqual(await get('text'), [200, Buffer.from('hällo').toString('latin1'), text]);
      assert.deepEqual(await get('empty'), [204, '']);
      assert.deepEqual(await get('json'), [
        201,
        '{"a":1}',
        'x-one=1',
        'set-cookie=a=1',
        'content-type=application/json',
      ]);
      assert.deepEqual((await get('cookies')).slice(0, 2), [200, 'c']);
      assert.deepEqual((await get('cookies')).slice(2).sort(), [
        text,
        'set-cookie=a=1',
        'set-cookie=b=2',
        'set-cookie=c=3',
        'x=y',
      ]);
      assert.deepEqual(await get('headers'), [200, 'h', 'content-type=text/html']);
      assert.deepEqual(await get('bytes'), [200, '\x01\x02\xff']);
      assert.deepEqual(await get('buffer'), [200, '\x01\x02']);
      assert.deepEqual(await get('search'), [
        200,
        'a=b+c',
        'content-type=application/x-www-form-urlencoded;charset=UTF-8',
      ]);
      assert.deepEqual(await get('redirect'), [303, '', 'location=http://x.test/y']);
      assert.deepEqual((await get('clone')).slice(0, 2), [200, 'twice']);
      assert.deepEqual((await get('blob')).slice(0, 2), [200, 'blob']);
      assert.match((await get('blob'))[2], /^content-type=text\/x/);
      assert.match((await get('form'))[1], /name="k"\r\n\r\nv/);
      assert.deepEqual((await get('real')).slice(0, 2), [200, 'fetched']);
      assert.deepEqual(await get('string'), [200, 'plain', text]);
      assert.deepEqual(await get('nothing'), [204, '']);
      assert.deepEqual(await get('null'), [204, '']);
      assert.deepEqual(await get('object'), [200, '{"b":2}', 'content-type=application/json']);
      assert.deepEqual((await get('list'))[1], '[1]');
      assert.deepEqual((await get('number'))[1], '7');
      assert.deepEqual(await get('raw'), [200, 'raw', 'content-type=application/octet-stream']);
      assert.equal((await get('status')).type, 'RangeError');
      assert.match((await get('header')).message, /header "x"/);
      assert.match((await get('nobody')).message, /204/);
      assert.match((await get('bigint')).message, /BigInt/);
      assert.equal((await get('used'))[1], 'TypeError');
      assert.deepEqual(JSON.parse((await get('checks'))[1]), [
        true,
        true,
        true,
        false,
        true,
        true,
        200,
        false,
        { a: 1 },
        { a: 1 },
        true,
        'application/json',
        true,
      ]);
    });

    test('passes on what was fetched as what it is now', async () => {
      const packed = gzipSync('hello '.repeat(100));
      const server = createServer((req, res) => {
        const isPacked = req.url === '/packed';
        if (isPacked) res.setHeader('content-encoding', 'gzip');
        res.setHeader('x-own', '1');
        res.end(isPacked ? packed : 'plain');
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${server.address().port}`;
      const worker = await loaded(
        `export const handler = (input) => fetch('${url}' + (input.data ?? new URL(input.url).pathname));`,
      );
      for (const ask of [(path) => worker.request({ url: `http://x.test${path}` }), (path) => worker.event(path)]) {
        const call = await ended(ask('/packed'));
        const headers = Object.fromEntries(call.head.headers);
        assert.equal(call.body.toString(), 'hello '.repeat(100));
        assert.deepEqual(
          [headers['content-encoding'], headers['content-length'], headers['x-own']],
          [undefined, undefined, '1'],
        );
        assert.equal((await ended(ask('/plain'))).body.toString(), 'plain');
      }
      server.close();
      server.closeAllConnections?.();
    });

    test('answers an event whose handler returns a Response', async () => {
      const worker = await loaded(
        `export const handler = (event) => event.data === 'json' ? Response.json({ a: 1 }, { status: 201 }) : event.data === 'used' ? (async () => { const r = new Response('x'); await r.text(); return r; })() : new Response('text', { headers: { 'x-one': '1' } });`,
      );
      const json = await ended(worker.event('json'));
      assert.deepEqual([json.kind, json.head.status, json.body.toString()], [KIND.RESPONSE, 201, '{"a":1}']);
      const text = await ended(worker.event('text'));
      assert.equal(text.body.toString(), 'text');
      assert.ok(text.head.headers.some(([name, value]) => name === 'x-one' && value === '1'));
      assert.equal((await ended(worker.event('used'))).error.type, 'TypeError');
    });

    test('streams', async () => {
      const worker = await loaded(`
        const pause = () => new Promise((done) => setTimeout(done, 2));
        async function* generate(n) { for (let i = 0; i < n; i++) { await pause(); yield 'data: ' + i + '\\n\\n'; } }
        export const handler = (req) => ({
          stream: () => new Response(new ReadableStream({ async start(c) { c.enqueue(new TextEncoder().encode('a')); await pause(); c.enqueue(new TextEncoder().encode('b')); c.close(); } }), { status: 202, headers: { 'x-s': '1' } }),
          iterable: () => new Response(generate(3), { headers: { 'content-type': 'text/event-stream' } }),
          generator: () => generate(2),
          objects: async function* () { yield { a: 1 }; yield 'raw'; },
          breaks: async function* () { yield 'one'; throw new Error('broke'); },
          big: () => new Response(new ReadableStream({ pull(c) { this.n = (this.n ?? 0) + 1; c.enqueue(new Uint8Array(700_000).fill(this.n)); if (this.n === 6) c.close(); } })),
        })[new URL(req.url).pathname.slice(1)]();`);
      const get = (key, options) => worker.request({ url: `http://x.test/${key}` }, '', options);
      const stream = await ended(get('stream'));
      assert.deepEqual(
        [stream.kind, stream.head.status, stream.body.toString(), stream.chunks.length],
        [KIND.END, 202, 'ab', 2],
      );
      assert.deepEqual(stream.head.headers, [['x-s', '1']]);
      assert.equal(
        (await ended(get('iterable'))).body.toString(),
        'data: 0\n\ndata: 1\n\ndata: 2\n\n',
      );
      const generator = await ended(get('generator'));
      assert.deepEqual(generator.head.headers[0], ['content-type', 'text/event-stream']);
      assert.equal(generator.chunks.length, 2);
      assert.equal((await ended(get('objects'))).body.toString(), 'data: {"a":1}\n\nraw');
      const breaks = await ended(get('breaks'));
      assert.deepEqual(
        [breaks.kind, breaks.chunks.toString(), breaks.error.message],
        [KIND.ERROR, 'one', 'broke'],
      );
      const big = get('big', { ack: false });
      while (big.bytes < 1 << 20) await once(worker, 'chunk');
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(big.bytes, 1 << 20, 'no more than the window without an ACK');
      big.ack = true;
      worker.send(KIND.ACK, big.id, u32(1 << 20));
      assert.equal((await ended(big)).body.length, 6 * 700_000);
    });

    test('keeps what is streamed part of its call', async () => {
      const worker = await loaded(`
        const pause = () => new Promise((done) => setTimeout(done, 2));
        const told = () => process.env.EVOKE_TOKEN + ' ' + globalThis[Symbol.for('evoke.call')]()?.traceparent;
        async function* generate() { try { console.log('begins'); yield told(); await pause(); console.log('goes on'); yield told(); while (lasts) { await pause(); yield 'more'; } } finally { console.log('ends ' + told()); } }
        let lasts = false;
        const pull = () => { let n = 0; return new ReadableStream({ async pull(c) { console.log('pulls'); await pause(); if (++n > 2) return c.close(); c.enqueue(new TextEncoder().encode(told())); } }, { highWaterMark: 0 }); };
        export const handler = (req) => ({
          sync: () => generate(), async: async () => generate(), response: () => new Response(generate()), pulled: async () => new Response(pull()),
          few: function* () { console.log('few'); yield told(); },
          json: () => ({ toJSON() { console.log('json'); return told(); } }),
          cancelled: () => { lasts = true; return generate(); },
        })[new URL(req.url).pathname.slice(1)]();`);
      const asked = (key, n) => {
        const own = context({ token: `tok_${n}`, traceparent: `trace_${n}` });
        const request = { method: 'GET', url: `http://x.test/${key}`, headers: [], params: {} };
        return worker.call(KIND.REQUEST, requestPayload(own, request, ''));
      };
      const keys = ['sync', 'async', 'response', 'pulled', 'few', 'json'];
      const all = [...keys, ...keys].map((key, n) => [key, n, asked(key, n)]);
      for (const [key, n, call] of all) {
        await call.done;
        const told = `tok_${n} trace_${n}`;
        const wanted = key === 'json' ? `"${told}"` : key === 'few' ? told : told + told;
        assert.equal(call.body.toString(), wanted, key);
        const printed = {
          pulled: ['pulls', 'pulls', 'pulls'],
          few: ['few'],
          json: ['json'],
        };
        assert.deepEqual(lines(call), printed[key] ?? ['begins', 'goes on', `ends ${told}`], key);
      }
      const call = asked('cancelled', 99);
      while (call.chunks.length < 3) await once(worker, 'chunk');
      worker.send(KIND.CANCEL, call.id, { reason: 'client_gone' });
      await call.done;
      while (worker.strays.length === 0) await once(worker, 'frame');
      assert.deepEqual(worker.strays.map(({ line }) => line), ['ends tok_99 trace_99']);
    });

    test('is told when nobody wants the answer', async () => {
      const worker = await loaded(`
        export let closed = 0;
        export const handler = async (input, context) => {
          const path = input.url === undefined ? input.data : new URL(input.url).pathname.slice(1);
          if (path === 'closed') return closed;
          if (path === 'stream') return (async function* () { try { for (;;) { yield 'x'; await new Promise((done) => setTimeout(done, 5)); } } finally { closed++; } })();
          if (path === 'web') return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)); }, cancel() { closed++; } }));
          const signal = path === 'request' ? input.signal : context.signal;
          await new Promise((done) => signal.addEventListener('abort', done));
          return [signal.reason.name, context.signal.aborted];
        };`);
      const cancel = async (call, reason) => {
        await new Promise((resolve) => setTimeout(resolve, 15));
        worker.send(KIND.CANCEL, call.id, { reason });
        return ended(call);
      };
      assert.deepEqual((await cancel(worker.event('wait'), 'timeout')).result, [
        'TimeoutError',
        true,
      ]);
      assert.deepEqual(
        JSON.parse(
          (await cancel(worker.request({ url: 'http://x.test/request' }), 'client_gone')).body,
        ),
        ['AbortError', true],
      );
      assert.equal(
        (await cancel(worker.request({ url: 'http://x.test/stream' }), 'client_gone')).error.type,
        'AbortError',
      );
      assert.equal(
        (
          await cancel(
            worker.request({ url: 'http://x.test/web' }, '', { ack: false }),
            'client_gone',
          )
        ).error.type,
        'AbortError',
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal((await ended(worker.event('closed'))).result, 2);
      worker.send(KIND.CANCEL, 1, { reason: 'cancelled' });
      worker.send(KIND.ACK, 1, u32(5));
      assert.equal((await ended(worker.event('closed'))).result, 2);
    });

    test('finds the handler', async () => {
      const cases = [
        [{ 'index.mjs': 'export const handler = () => 1' }, 'index.handler'],
        [
          { 'index.js': 'export const handler = () => 1', 'package.json': '{"type":"module"}' },
          'index.handler',
        ],
        [{ 'index.js': 'exports.handler = () => 1' }, 'index.handler'],
        [
          { 'index.cjs': 'const all = { handler: () => 1 }; module.exports = all' },
          'index.handler',
        ],
        [{ 'index.cjs': 'module.exports = () => 1' }, 'index.handler'],
        [{ 'index.mjs': 'export default () => 1' }, 'index.handler'],
        [{ 'index.mjs': 'export default { handler: async () => 1 }' }, 'index.handler'],
        [{ 'index.mjs': 'export default { fetch: () => 1 }' }, 'index.handler'],
        [{ 'src/deep/app.v1.mjs': 'export function run() { return 1 }' }, 'src/deep/app.v1.run'],
        [
          {
            'index.mjs': 'export { handler } from "./lib/other.mjs"',
            'lib/other.mjs': 'export const handler = () => 1',
          },
          undefined,
        ],
        [
          {
            'index.mjs':
              'await new Promise((done) => setTimeout(done, 5)); export const handler = () => 1',
          },
          undefined,
        ],
        ...(name === 'bun'
          ? [[{ 'index.ts': 'export const handler = (event: unknown): number => 1' }, undefined]]
          : []),
      ];
      for (const [files, handler] of cases) {
        const worker = await loaded(files, handler);
        assert.equal((await ended(worker.event(0))).result, 1);
      }
    });

    test('says why a handler cannot be loaded', async () => {
      const exported = await refused({
        'index.mjs': 'export const hanlder = () => 1; export const VERSION = 2',
      });
      assert.equal(exported.ok, false);
      assert.match(
        exported.message,
        /"handler" is not exported by index\.mjs, which exports .*hanlder.*; did you mean "hanlder"\?/,
      );
      assert.match((await refused({ 'index.mjs': '' })).message, /exports nothing/);
      assert.match(
        (await refused({ 'index.mjs': 'export const handler = 5' })).message,
        /is a number, not a function/,
      );
      assert.match(
        (await refused({ 'other.mjs': '' })).message,
        /needs a file index .*there is none/,
      );
      const thrown = await refused({ 'index.mjs': '\nthrow new TypeError("at import")' });
      assert.match(thrown.message, /at import/);
      assert.match(thrown.stack, /index\.mjs:2/);
      const syntax = await refused({ 'index.mjs': 'const a = 1;\nexport const = 2;\n' });
      assert.match(syntax.stack, /index\.mjs:2[^]*export const = 2/);
      const missing = await refused({ 'index.mjs': 'import "not-a-package"' });
      assert.match(missing.message, /not-a-package/);
    });

    test('finishes what is under way, then leaves', async () => {
      const worker = await loaded(
        `export const handler = () => new Promise((done) => setTimeout(() => done('done'), 40));`,
      );
      const call = worker.event(0);
      worker.send(KIND.SHUTDOWN, 0, '');
      assert.equal((await ended(call)).result, 'done');
      assert.equal(await worker.exited, 0);
      const blank = await start();
      blank.send(KIND.SHUTDOWN, 0, '');
      assert.equal(await blank.exited, 0);
    });

    test('leaves when the server is gone', async () => {
      const worker = await loaded(
        `setInterval(() => {}, 1000); export const handler = () => new Promise(() => {});`,
      );
      worker.event(0);
      worker.socket.destroy();
      assert.equal(await worker.exited, 0);
    });

    test('refuses a frame of an unknown kind', async () => {
      const worker = await start();
      worker.send(0x55, 0, '');
      assert.equal(await worker.gone, 1);
      assert.match(worker.strays[0].line, /unknown kind 85/);
    });
  });
}
