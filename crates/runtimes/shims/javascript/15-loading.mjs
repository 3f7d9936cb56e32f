// From the name of a handler to the function, or to a sentence that says why there is none.

const EXTENSIONS = ['.mjs', '.js', '.cjs'];

/**
 * The absolute path of a handler's file without its extension, completed; `undefined` when there
 * is none.
 */
function locate(path) {
  if (bun) {
    try {
      return bun.resolveSync(path, '/');
    } catch {
      return undefined;
    }
  }
  const { statSync } = require('node:fs');
  return ['', ...EXTENSIONS]
    .map((extension) => path + extension)
    .find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

async function load(message) {
  about = message;
  try {
    for (const [name, value] of Object.entries(message.environment ?? {}))
      process.env[name] = value;
    process.env.EVOKE_URL = message.url;
    process.env.EVOKE_FUNCTION = message.function;
    process.chdir(message.directory ?? message.code);
    installWeb();
    offerPackages(message.code);
    handler = await find(message.code, message.handler);
    sendText(LOADED, 0, '');
  } catch (error) {
    const described = describe(error);
    if (error?.plain === true) delete described.stack;
    sendText(
      LOAD_FAILED,
      0,
      JSON.stringify({ message: described.message, stack: described.stack }),
    );
  }
}

const refusal = (message) => Object.assign(new Error(message), { plain: true });

/** The function that a handler like `src/index.handler` names. */
async function find(code, name) {
  const dot = name.lastIndexOf('.');
  const file = dot < 0 ? name : name.slice(0, dot);
  const wanted = dot < 0 ? 'handler' : name.slice(dot + 1);
  const path = locate(`${code}/${file}`);
  if (path === undefined)
    throw refusal(
      `the handler "${name}" needs a file ${file} (${bun ? '.ts .mjs .js' : EXTENSIONS.join(' ')}) in ${code}; there is none`,
    );
  let module;
  try {
    module = await import(bun ? path : require('node:url').pathToFileURL(path).href);
  } catch (error) {
    throw withPlace(error, path);
  }
  return pick(module, wanted) ?? refuse(module, name, wanted, path.slice(code.length + 1));
}

function pick(module, wanted) {
  const whole = module.default;
  for (const found of [module[wanted], whole?.[wanted], whole]) {
    if (typeof found === 'function') return found;
    if (typeof found?.fetch === 'function')
      return (request, context) => found.fetch(request, context);
  }
  return undefined;
}

function refuse(module, name, wanted, file) {
  const inner =
    module.default !== null && typeof module.default === 'object'
      ? Object.keys(module.default)
      : [];
  const names = [...new Set([...Object.keys(module), ...inner])].filter(
    (key) => key !== 'module.exports' && key !== '__esModule',
  );
  if (names.length === 0)
    throw refusal(
      `${file} exports nothing; the handler "${name}" needs it to export a function "${wanted}"`,
    );
  const near = names
    .map((key) => [distance(key.toLowerCase(), wanted.toLowerCase()), key])
    .sort((a, b) => a[0] - b[0])[0];
  const hint = near[0] <= Math.max(2, wanted.length / 3) ? `; did you mean "${near[1]}"?` : '';
  const kind =
    wanted in module ? ` is a ${typeof module[wanted]}, not a function,` : ' is not exported';
  throw refusal(`"${wanted}"${kind} by ${file}, which exports ${names.join(', ')}${hint}`);
}

/** How many letters differ (Levenshtein). */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** Says where a syntax error is: Node keeps that to itself, Bun has it in fields. */
function withPlace(error, path) {
  const parts = error?.errors ?? [error];
  if (parts[0]?.position) {
    const lines = parts.map(
      ({ message, position: at }) =>
        `${at.file}:${at.line}:${at.column}: ${message}\n  ${at.lineText}`,
    );
    return Object.assign(new SyntaxError(parts[0].message), { stack: lines.join('\n') });
  }
  if (bun || !(error instanceof SyntaxError)) return error;
  const check = require('node:child_process').spawnSync(process.execPath, ['--check', path], {
    encoding: 'utf8',
    timeout: 5000,
  });
  const place = check.stderr?.split('\n    at ')[0].trim();
  return place ? Object.assign(new SyntaxError(error.message), { stack: place }) : error;
}
