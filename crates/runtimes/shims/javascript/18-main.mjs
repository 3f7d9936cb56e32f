// The life of the process.

/** An error nobody caught ends its call. Without one, nobody knows what state the worker is in. */
function uncaught(error, origin) {
  const call = calls.getStore();
  if (call !== undefined && !call.done) return fail(call, error);
  const described = describe(error);
  stray.log(
    FAULT,
    `${origin === 'unhandledRejection' ? 'Unhandled rejection' : 'Uncaught exception'}: ${described.stack ?? described.message}`,
  );
  if (call !== undefined || origin === 'unhandledRejection') return;
  flush();
  process.exit(1);
}

function connectNode(path) {
  const socket = require('node:net').connect(path);
  socket.on('data', receive);
  socket.on('error', () => process.exit(1));
  socket.on('close', () => process.exit(0));
  transmit = (bytes, done) => socket.write(bytes, done);
}

async function connectBun(path) {
  const backlog = [];
  const push = (socket, entry) => {
    entry.at += socket.write(entry.bytes.subarray(entry.at));
    if (entry.at === entry.bytes.length) entry.done();
    return entry.at === entry.bytes.length;
  };
  const drain = (socket) => {
    while (backlog.length > 0 && push(socket, backlog[0])) backlog.shift();
  };
  const data = (_, chunk) => receive(chunk);
  const socket = await Bun.connect({
    unix: path,
    socket: { data, drain, close: () => process.exit(0), error: () => process.exit(1) },
  });
  transmit = (bytes, done) => {
    const entry = { bytes, done, at: 0 };
    if (backlog.length > 0 || !push(socket, entry)) backlog.push(entry);
  };
}

async function main() {
  const path = process.env.EVOKE_SOCKET;
  delete process.env.EVOKE_SOCKET;
  if (path === undefined) throw new Error('EVOKE_SOCKET is not set: this file is started by evoke');
  await (bun ? connectBun(path) : connectNode(path));
  const version = bun ? bun.version : process.versions.node;
  sendText(
    HELLO,
    0,
    JSON.stringify({ protocol: 1, runtime: bun ? 'bun' : 'node', version, pid: process.pid }),
  );
  flush();
  installConsole();
  installEnvironment();
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', (reason) => uncaught(reason, 'unhandledRejection'));
  process.on('exit', () => {
    stray.endLog();
    flush();
  });
  // A worker that waits for its function has time to load what a first request needs.
  setTimeout(() => {
    if (about.code !== undefined) return;
    installWeb();
    link();
  }, 50).unref();
}

await main();
