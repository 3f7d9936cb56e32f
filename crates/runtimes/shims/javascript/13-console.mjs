// What is printed by `console` and to the standard streams belongs to the call that printed it.

function installConsole() {
  const print =
    (level) =>
    (...args) => {
      const call = current();
      if (call.logLeft <= 0 && call !== stray) return void call.dropped++;
      const text =
        args.length === 1 && typeof args[0] === 'string' ? args[0] : util().format(...args);
      call.log(
        level,
        call.indent === '' ? text : call.indent + text.replaceAll('\n', `\n${call.indent}`),
      );
    };
  const info = print(INFO),
    warn = print(WARN),
    error = print(FAULT);
  const group = (...label) => {
    if (label.length > 0) info(...label);
    current().indent += '  ';
  };
  Object.assign(console, {
    log: info,
    info,
    dirxml: info,
    debug: print(DEBUG),
    warn,
    error,
    group,
    groupCollapsed: group,
    groupEnd: () => {
      const call = current();
      call.indent = call.indent.slice(2);
    },
    dir: (value, options) => info(util().inspect(value, { customInspect: false, ...options })),
    assert: (held, ...args) =>
      held || error(...(args.length > 0 ? ['Assertion failed:', ...args] : ['Assertion failed'])),
    trace: (...args) => {
      const frames = stackOf(new Error()).split('\n').slice(1);
      error([`Trace: ${util().format(...args)}`, ...frames].join('\n'));
    },
  });
  let inner = null;
  const sink = {
    write: (text) => info(text.replace(/\n$/, '')),
    on() {},
    once() {},
    removeListener() {},
    listenerCount: () => 0,
  };
  for (const name of ['table', 'count', 'countReset', 'time', 'timeEnd', 'timeLog']) {
    console[name] = (...args) =>
      (inner ??= new console.Console({ stdout: sink, stderr: sink, ignoreErrors: false }))[name](
        ...args,
      );
  }
  for (const [name, level] of [
    ['stdout', INFO],
    ['stderr', FAULT],
  ])
    installStream(name, level);
}

/**
 * The real stream is never looked at: making it costs more than all the rest, and nothing may be
 * written to it.
 */
function installStream(name, level) {
  const write = (text, _, done) => {
    current().write(level, String(text));
    done();
  };
  let stream = null;
  const make = () =>
    Object.assign(new (require('node:stream').Writable)({ write }), {
      fd: level === INFO ? 1 : 2,
      isTTY: false,
    });
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => (stream ??= make()),
  });
}
