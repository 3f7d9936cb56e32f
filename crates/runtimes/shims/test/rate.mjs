// Measures how many calls a second a worker serves: `node rate.mjs NAME ... [--seconds 3] [--in-flight 64,512]`, where NAME is node18, node20,
// node22, bun, or python=PATH. Besides the rate it prints calls per second of the worker's own CPU time, which other load does not disturb.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  context,
  folder,
  frame,
  INTERPRETERS,
  KIND,
  requestPayload,
  shim,
  Worker,
} from './server.mjs';

const JS = {
  'event, async': [
    `export async function handler(event) { return { ok: true, n: event.data.n } }`,
    KIND.EVENT,
  ],
  'event, sync': [
    `export function handler(event) { return { ok: true, n: event.data.n } }`,
    KIND.EVENT,
  ],
  'event, awaits': [
    `export async function handler(event) { await null; await null; return { ok: true, n: event.data.n } }`,
    KIND.EVENT,
  ],
  'event, logs a line': [
    `export async function handler(event) { console.log('n is', event.data.n); return 1 }`,
    KIND.EVENT,
  ],
  'http, Response.json': [
    `export const handler = (req) => Response.json({ ok: true })`,
    KIND.REQUEST,
  ],
  'http, async, header, params': [
    `export const handler = async (req) => new Response('hi ' + req.params.id, { headers: { 'x-a': req.headers.get('accept') } })`,
    KIND.REQUEST,
  ],
  'http, POST json': [
    `export const handler = async (req) => Response.json(await req.json(), { status: 201 })`,
    KIND.REQUEST,
  ],
};
const PY = {
  'event, async': [
    `async def handler(event, context):\n    return {"ok": True, "n": event["data"]["n"]}\n`,
    KIND.EVENT,
  ],
  'event, async, awaits': [
    `import asyncio\nasync def handler(event, context):\n    await asyncio.sleep(0)\n    return {"ok": True, "n": event["data"]["n"]}\n`,
    KIND.EVENT,
  ],
  'event, sync': [
    `def handler(event, context):\n    return {"ok": True, "n": event["data"]["n"]}\n`,
    KIND.EVENT,
  ],
  'event, sync, logs a line': [
    `def handler(event, context):\n    print("n is", event["data"]["n"])\n    return 1\n`,
    KIND.EVENT,
  ],
  'http, async': [`async def handler(request):\n    return {"ok": True}\n`, KIND.REQUEST],
  'http, sync': [`def handler(request):\n    return {"ok": True}\n`, KIND.REQUEST],
};

function payloadOf(kind, scenario) {
  const head = context({
    executionId: 'exe_01JABCDEFGHJKMNPQRSTVWXYZ',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  if (kind === KIND.EVENT)
    return Buffer.from(
      JSON.stringify({
        context: head,
        event: {
          specversion: '1.0',
          id: '01JABCDEFGHJKMNPQRSTVWXYZ',
          type: 'order.created',
          source: '/shop',
          time: '2026-01-01T00:00:00Z',
          datacontenttype: 'application/json',
          data: { n: 1, total: 99.5, user: 'ada' },
        },
      }),
    );
  const post = scenario.includes('POST');
  const headers = [
    ['host', 'localhost:8090'],
    ['user-agent', 'rate/1'],
    ['accept', '*/*'],
    ['content-type', 'application/json'],
  ];
  return requestPayload(
    head,
    {
      method: post ? 'POST' : 'GET',
      url: 'http://localhost:8090/api/users/7',
      headers,
      params: { id: '7' },
    },
    post ? '{"name":"ada","total":3}' : '',
  );
}

const ticks = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

async function measure(command, scenario, file, [code, kind], inFlight, seconds) {
  const worker = await Worker.start(command);
  const loaded = await worker.load(folder({ [file]: code }), file.replace(/\.\w+$/, '.handler'));
  if (!loaded.ok) throw new Error(loaded.message);
  worker.socket.removeAllListeners('data');
  const one = frame(kind, 1, payloadOf(kind, scenario));
  const batch = Buffer.concat(Array.from({ length: inFlight }, () => one));
  let done = 0;
  // Frames are counted by walking their lengths only, so that the driver does not become the bottleneck.
  let skip = 0,
    partial = Buffer.alloc(0),
    pending = 0;
  worker.socket.on('data', (chunk) => {
    let at = skip;
    if (partial.length > 0) {
      chunk = Buffer.concat([partial, chunk]);
      partial = Buffer.alloc(0);
    }
    while (at + 9 <= chunk.length) {
      const frameKind = chunk[at + 4];
      if (frameKind === KIND.ERROR) throw new Error(chunk.toString('utf8', at + 9, at + 400));
      if (frameKind !== KIND.LOG) {
        done++;
        pending++;
      }
      at += 4 + chunk.readUInt32LE(at);
    }
    if (at < chunk.length) {
      partial = chunk.subarray(at);
      skip = 0;
    } else skip = at - chunk.length;
    if (pending > 0) {
      worker.socket.write(batch.subarray(0, pending * one.length));
      pending = 0;
    }
  });
  worker.socket.write(batch);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const [from, cpu, at] = [done, ticks(worker.process.pid), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const [calls, used, wall] = [
    done - from,
    ticks(worker.process.pid) - cpu,
    (performance.now() - at) / 1000,
  ];
  await worker.close();
  return {
    rate: Math.round(calls / wall),
    perCpu: Math.round(calls / used),
    micros: ((used / calls) * 1e6).toFixed(2),
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '2' },
    'in-flight': { type: 'string', default: '1,64,512' },
    only: { type: 'string', default: '' },
  },
});
for (const name of positionals) {
  const python = name.startsWith('python');
  const command = python
    ? [name.split('=')[1] ?? 'python3', shim('python.py')]
    : [INTERPRETERS[name], shim('javascript.mjs')];
  for (const [scenario, handler] of Object.entries(python ? PY : JS)) {
    if (!scenario.includes(values.only)) continue;
    for (const inFlight of values['in-flight'].split(',').map(Number)) {
      const { rate, perCpu, micros } = await measure(
        command,
        scenario,
        python ? 'main.py' : 'index.mjs',
        handler,
        inFlight,
        Number(values.seconds),
      );
      console.log(
        `${name.padEnd(8)} ${scenario.padEnd(30)} ${String(inFlight).padStart(4)} in flight  ${String(rate).padStart(8)}/s  ${String(perCpu).padStart(8)}/CPU s  ${micros} µs`,
      );
    }
  }
}
