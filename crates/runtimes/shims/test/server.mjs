// The server's side of docs/worker-protocol.md, for the tests of the shims.

import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const KIND = {
  LOAD: 0x01,
  EVENT: 0x02,
  REQUEST: 0x03,
  CANCEL: 0x04,
  SHUTDOWN: 0x05,
  ACK: 0x06,
  HELLO: 0x81,
  LOADED: 0x82,
  LOAD_FAILED: 0x83,
  RESULT: 0x84,
  ERROR: 0x85,
  HEAD: 0x86,
  CHUNK: 0x87,
  END: 0x88,
  RESPONSE: 0x89,
  LOG: 0x8a,
};
const LAST = new Set([KIND.RESULT, KIND.ERROR, KIND.END, KIND.RESPONSE]);
const SHIMS = dirname(dirname(fileURLToPath(import.meta.url)));
const TOOLS = process.env.EVOKE_TEST_TOOLS ?? '';

/** Where each interpreter is: beside the tests' tools, or on the PATH. */
export const INTERPRETERS = {
  node18: process.env.EVOKE_TEST_NODE18 ?? join(TOOLS, 'node18/bin/node'),
  node20: process.env.EVOKE_TEST_NODE20 ?? 'node',
  node22: process.env.EVOKE_TEST_NODE22 ?? join(TOOLS, 'node22/bin/node'),
  bun: process.env.EVOKE_TEST_BUN ?? join(TOOLS, '.bin/bun'),
};

/** The file of a worker (`javascript.mjs`), joined from its parts as the server does it. */
export function shim(file) {
  const parts = join(SHIMS, file.split('.')[0]);
  const texts = readdirSync(parts)
    .sort()
    .map((part) => readFileSync(join(parts, part), 'utf8'));
  const home = mkdtempSync(join(tmpdir(), 'evoke-shim-'));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  writeFileSync(join(home, file), texts.join(''));
  return join(home, file);
}

export function frame(kind, call, payload = '') {
  const body = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const bytes = Buffer.allocUnsafe(9 + body.length);
  bytes.writeUInt32LE(body.length + 5, 0);
  bytes[4] = kind;
  bytes.writeUInt32LE(call, 5);
  body.copy(bytes, 9);
  return bytes;
}

export function requestPayload(context, request, body = '') {
  const head = Buffer.from(JSON.stringify({ context, request }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, Buffer.from(body)]);
}

/** Splits what comes into frames. */
export function reader(take) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 9) {
      const next = at + 4 + rest.readUInt32LE(at);
      if (next > rest.length) break;
      take(rest[at + 4], rest.readUInt32LE(at + 5), rest.subarray(at + 9, next));
      at = next;
    }
    rest = rest.subarray(at);
  };
}

export const context = (more = {}) => ({
  executionId: 'exe_1',
  attempt: 1,
  deadlineMs: Date.now() + 30_000,
  trigger: { kind: 'event', name: 'all' },
  token: 'tok_1',
  ...more,
});

/** A folder with these files, removed by `close` of the worker that loads it. */
export function folder(files) {
  const path = mkdtempSync(join(tmpdir(), 'evoke-shim-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

/** A worker process, and what it said. */
export class Worker extends EventEmitter {
  calls = new Map();
  strays = [];
  stderr = '';
  #next = 1;

  static async start(command, env = {}) {
    const worker = new Worker();
    worker.home = mkdtempSync(join(tmpdir(), 'evoke-socket-'));
    const path = join(worker.home, 's');
    const server = createServer();
    server.listen(path);
    await once(server, 'listening');
    worker.startedAt = performance.now();
    worker.process = spawn(command[0], command.slice(1), {
      env: { ...process.env, ...env, EVOKE_SOCKET: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    worker.exited = once(worker.process, 'exit').then(([code, signal]) => code ?? signal);
    worker.process.stdout.on('data', (data) => (worker.stderr += data));
    worker.process.stderr.on('data', (data) => (worker.stderr += data));
    const failed = worker.exited.then((code) => {
      throw new Error(`the worker exited with ${code} before it connected: ${worker.stderr}`);
    });
    const connected = once(server, 'connection');
    [worker.socket] = await Promise.race([connected, failed]);
    failed.catch(() => {});
    server.close();
    worker.socket.on('error', () => {});
    worker.gone = Promise.all([worker.exited, once(worker.socket, 'close')]).then(([code]) => code);
    const hello = once(worker, 'hello');
    worker.socket.on(
      'data',
      reader((kind, call, payload) => worker.#take(kind, call, payload)),
    );
    [worker.hello] = await hello;
    worker.helloMs = performance.now() - worker.startedAt;
    return worker;
  }

  #take(kind, id, payload) {
    this.emit('frame', kind, id, payload);
    const json = () => JSON.parse(payload.toString());
    if (kind === KIND.HELLO) return this.emit('hello', json());
    if (kind === KIND.LOADED) return this.emit('loaded', { ok: true });
    if (kind === KIND.LOAD_FAILED) return this.emit('loaded', { ok: false, ...json() });
    if (kind === KIND.LOG && id === 0)
      return this.strays.push({ level: payload[0], line: payload.toString('utf8', 1) });
    const call = this.calls.get(id);
    if (call === undefined)
      throw new Error(`a frame ${kind.toString(16)} for the unknown call ${id}`);
    if (call.ended)
      throw new Error(`a frame ${kind.toString(16)} after the last frame of call ${id}`);
    if (kind === KIND.LOG) call.logs.push({ level: payload[0], line: payload.toString('utf8', 1) });
    if (kind === KIND.HEAD) call.head = json();
    if (kind === KIND.CHUNK) {
      call.chunks.push(Buffer.from(payload));
      call.bytes += payload.length;
      this.emit('chunk', id, payload);
      if (call.ack) this.send(KIND.ACK, id, u32(payload.length));
    }
    if (kind === KIND.RESPONSE) {
      const length = payload.readUInt32LE(0);
      call.head = JSON.parse(payload.toString('utf8', 4, 4 + length));
      call.body = Buffer.from(payload.subarray(4 + length));
    }
    if (kind === KIND.RESULT) call.result = payload.length === 0 ? undefined : json();
    if (kind === KIND.ERROR) call.error = json();
    if (kind === KIND.END) call.body = Buffer.concat(call.chunks);
    if (!LAST.has(kind)) return;
    call.kind = kind;
    call.ended = true;
    call.resolve(call);
  }

  send(kind, call, payload) {
    this.socket.write(frame(kind, call, payload));
  }

  async load(code, handler = 'index.handler', more = {}) {
    this.code = code;
    const loaded = once(this, 'loaded');
    this.send(KIND.LOAD, 0, {
      function: 'demo',
      version: 3,
      code,
      handler,
      environment: {},
      url: 'http://127.0.0.1:1',
      timeoutMs: 30_000,
      memoryBytes: 1 << 28,
      ...more,
    });
    return (await loaded)[0];
  }

  /** Starts a call; `done` resolves with it when its last frame is there. */
  call(kind, payload, options = {}) {
    const id = this.#next++;
    const call = { id, logs: [], chunks: [], bytes: 0, ended: false, ack: options.ack ?? true };
    call.done = new Promise((resolve) => (call.resolve = resolve));
    this.calls.set(id, call);
    this.send(kind, id, payload);
    return call;
  }

  event(data, more = {}) {
    return this.call(KIND.EVENT, {
      context: context(more),
      event: { specversion: '1.0', id: 'e1', type: 'test', source: '/t', data },
    });
  }

  /** A call with several events of these data. */
  batch(all, more = {}) {
    const event = (data, n) => ({ specversion: '1.0', id: `e${n}`, type: 'test', source: '/t', data });
    const batch = { size: all.length };
    return this.call(KIND.EVENT, { context: context({ batch, ...more }), events: all.map(event) });
  }

  request(request = {}, body = '', options = {}) {
    const whole = { method: 'GET', url: 'http://localhost/', headers: [], params: {}, ...request };
    return this.call(
      KIND.REQUEST,
      requestPayload(context({ trigger: { kind: 'http', name: 'r' } }), whole, body),
      options,
    );
  }

  async close() {
    this.socket.destroy();
    const code = await this.exited;
    rmSync(this.home, { recursive: true, force: true });
    if (this.code !== undefined) rmSync(this.code, { recursive: true, force: true });
    return code;
  }
}

export function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
