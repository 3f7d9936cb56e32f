// The packages that are there without being installed: `@evoke/sdk` and `@evoke/functions`. A copy
// that the function has installed itself goes before them. Nothing of them is loaded before it is
// used.

const PACKAGES = ['@evoke/sdk', '@evoke/functions'];

/** What can be used without an import, and where it is from. */
const GLOBALS = {
  db: PACKAGES[0],
  storage: PACKAGES[0],
  events: PACKAGES[0],
  functions: PACKAGES[0],
  secrets: PACKAGES[0],
  auth: PACKAGES[1],
  middleware: PACKAGES[1],
  cors: PACKAGES[1],
  rateLimit: PACKAGES[1],
  validate: PACKAGES[1],
};

/** A package's file for `require`. The server writes it beside this one's folder. */
const packageFile = (name) =>
  require('node:url').fileURLToPath(new URL(`../node_modules/${name}/index.cjs`, import.meta.url));
/** What is resolved where a module imports a package. */
const packageModule = (name) => ({
  url: new URL(`../node_modules/${name}/index.mjs`, import.meta.url).href,
  format: 'module',
  shortCircuit: true,
});

/** What a package exports. */
const ours = (name) => require(packageFile(name));

/** Lets the code of a folder use the packages. */
function offerPackages(code) {
  // The packages ask for it, so that calls under way at once keep their own tokens.
  globalThis[Symbol.for('evoke.call')] = () => {
    const call = calls.getStore();
    return call === undefined ? undefined : told(call);
  };
  for (const [name, source] of Object.entries(GLOBALS)) {
    if (name in globalThis) continue;
    define(name, {
      get: () => ours(source)[name],
      set: (value) => define(name, { value, writable: true }),
    });
  }
  if (bun) return offerToBun(code);
  const { Module, registerHooks } = require('node:module');
  if (registerHooks !== undefined) return void registerHooks({ resolve: resolveOurs });
  // Before, hooks of `import` run in a thread of their own, which takes 30 ms to start. They are not
  // needed for the code itself: it is below the folder the packages are in. Only what it links to
  // from elsewhere goes without.
  offerToRequire(Module);
}

const isUnknown = (error) =>
  error?.code === 'ERR_MODULE_NOT_FOUND' || error?.code === 'MODULE_NOT_FOUND';

/** Since Node 22.15: one hook for `import` and `require`, in this thread. */
function resolveOurs(specifier, context, next) {
  if (!PACKAGES.includes(specifier)) return next(specifier, context);
  try {
    return next(specifier, context);
  } catch (error) {
    if (!isUnknown(error)) throw error;
    if (!context.conditions.includes('require')) return packageModule(specifier);
    const url = require('node:url').pathToFileURL(packageFile(specifier)).href;
    return { url, format: 'commonjs', shortCircuit: true };
  }
}

function offerToRequire(Module) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    if (!PACKAGES.includes(request)) return resolve.call(this, request, ...rest);
    try {
      return resolve.call(this, request, ...rest);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      return packageFile(request);
    }
  };
}

function offerToBun(code) {
  const missing = PACKAGES.filter((name) => {
    try {
      return bun.resolveSync(name, code) === undefined;
    } catch {
      return true;
    }
  });
  if (missing.length === 0) return;
  bun.plugin({
    name: 'evoke',
    setup(build) {
      for (const name of missing)
        build.module(name, () => ({ exports: ours(name), loader: 'object' }));
    },
  });
}
