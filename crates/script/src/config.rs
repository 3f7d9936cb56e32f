//! Configuration written as a script, evaluated to a value. The script sees no disk, no network, no
//! clock worth the name and no environment; it gets a second and 32 MB.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rquickjs::{CatchResultExt, CaughtError, Context, Module, Runtime};
use serde_json::Value;

use crate::error::ScriptError;
use crate::modules::Modules;
use crate::stack::STACK_BYTES_MIN;

/// A configuration describes; one that takes longer does something else.
const RUN_MAX: Duration = Duration::from_secs(1);
/// Some operations of the engine (a product of huge integers) do not look at the clock. After this
/// they are left alone with their thread, which ends by itself.
const GIVE_UP: Duration = Duration::from_secs(3);
const MEMORY_MAX: usize = 32 << 20;
/// Below the stack of the thread, so that deep recursion is an error in the script.
const JS_STACK_MAX: usize = 2 << 20;

/// The name of the module that imports the configuration.
pub(crate) const ENTRY: &str = "evoke:entry";

/// The text of the configuration is made in the script's own world, where its `toJSON` may run.
/// What JSON would drop or change silently is refused instead.
const ENTRY_CODE: &str = r#"
    globalThis.process = { env: {} };
    globalThis.console = { debug() {}, log() {}, info() {}, warn() {}, error() {}, trace() {} };
    const module = await import(CONFIGURATION);
    if (!("default" in module)) throw new TypeError("there is no `export default`");
    let value = await module.default;
    if (typeof value === "function") value = await value();
    if (value === null || typeof value !== "object") {
        throw new TypeError(`the default export is ${value === null ? "null" : typeof value}, not an object`);
    }
    const plain = (key, value) => {
        const what = typeof value;
        if (what === "function" || what === "symbol" || what === "bigint") {
            throw new TypeError(`"${key}" is a ${what}; a configuration is made of texts, numbers, booleans, lists and objects`);
        }
        if (what === "number" && !Number.isFinite(value)) throw new TypeError(`"${key}" is ${value}`);
        return value;
    };
    globalThis[RESULT] = JSON.stringify(value, plain);
"#;
const RESULT: &str = "evoke:result";

/// Evaluates `function.config.ts|js|mjs` and the like: the default export, which may be an object,
/// a promise of one, or a function returning either. Relative imports are allowed inside `root`.
///
/// # Errors
/// Syntax errors, imports that are not allowed, what the script throws, a script that runs too long
/// or takes too much memory, a default export that is not data.
pub fn evaluate_config(path: &Path, root: &Path) -> Result<Value, ScriptError> {
    let shown_root = root;
    let read_error = |source| ScriptError::Read { path: path.to_path_buf(), source };
    let root = root.canonicalize().map_err(read_error)?;
    let file = path.canonicalize().map_err(read_error)?;
    if !file.starts_with(&root) {
        return Err(ScriptError::Import {
            path: path.to_path_buf(),
            specifier: file.display().to_string(),
            reason: format!("it lies outside of {}", root.display()),
        });
    }
    let (answer, evaluated) = mpsc::sync_channel(1);
    let script =
        Script { path: path.to_path_buf(), file, root, shown_root: shown_root.to_path_buf() };
    std::thread::Builder::new()
        .name("config".to_owned())
        .stack_size(STACK_BYTES_MIN)
        .spawn(move || {
            // Nobody listens any more when the caller gave up.
            answer.send(run(&script)).is_ok()
        })
        .map_err(|source| ScriptError::Thread { path: path.to_path_buf(), source })?;
    let text = match evaluated.recv_timeout(GIVE_UP) {
        Ok(result) => result?,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            return Err(ScriptError::TimedOut { path: path.to_path_buf(), limit: RUN_MAX });
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let message = "the script engine failed".to_owned();
            return Err(ScriptError::Internal { path: path.to_path_buf(), message });
        }
    };
    serde_json::from_str(&text).map_err(|error| ScriptError::Value {
        path: path.to_path_buf(),
        message: format!("the default export cannot be read: {error}"),
    })
}

/// What is run.
struct Script {
    /// As the caller named it.
    path: PathBuf,
    /// Canonical.
    file: PathBuf,
    /// Canonical.
    root: PathBuf,
    /// As the caller named it.
    shown_root: PathBuf,
}

/// Runs the script and gives its configuration as JSON text.
fn run(script: &Script) -> Result<String, ScriptError> {
    let path = &script.path;
    let internal = |error: rquickjs::Error| ScriptError::Internal {
        path: path.clone(),
        message: error.to_string(),
    };
    let Some(name) = script.file.to_str() else {
        let message = "its path is not UTF-8".to_owned();
        return Err(ScriptError::Value { path: path.clone(), message });
    };
    let modules = Modules::new(&script.root, &script.shown_root);
    let runtime = Runtime::new().map_err(internal)?;
    runtime.set_memory_limit(MEMORY_MAX);
    runtime.set_max_stack_size(JS_STACK_MAX);
    let deadline = Instant::now() + RUN_MAX;
    runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() >= deadline)));
    runtime.set_loader(modules.clone(), modules.clone());
    let context = Context::full(&runtime).map_err(internal)?;
    context.with(|ctx| {
        let entry = ENTRY_CODE
            .replace("CONFIGURATION", &Value::from(name).to_string())
            .replace("RESULT", &Value::from(RESULT).to_string());
        let evaluated = Module::evaluate(ctx.clone(), ENTRY, entry)
            .and_then(|promise| promise.finish::<()>())
            .and_then(|()| ctx.globals().get::<_, String>(RESULT))
            .catch(&ctx);
        let failed = |caught| Failed { path, deadline, modules: &modules }.explain(caught);
        evaluated.map_err(failed)
    })
}

/// A run that did not end well.
struct Failed<'a> {
    path: &'a Path,
    deadline: Instant,
    modules: &'a Modules,
}

impl Failed<'_> {
    /// What went wrong, in our words.
    fn explain(&self, caught: CaughtError<'_>) -> ScriptError {
        let path = self.path.to_path_buf();
        if let Some(failure) = self.modules.loaded().borrow_mut().failure.take() {
            return failure;
        }
        if Instant::now() >= self.deadline {
            return ScriptError::TimedOut { path, limit: RUN_MAX };
        }
        match caught {
            CaughtError::Error(rquickjs::Error::Allocation) => self.memory(),
            CaughtError::Error(rquickjs::Error::WouldBlock) => {
                let message = "it waits for something that never comes".to_owned();
                ScriptError::Threw { path, line: None, message }
            }
            CaughtError::Error(error) => ScriptError::Internal { path, message: error.to_string() },
            CaughtError::Value(value) => {
                let message = value.as_string().and_then(|text| text.to_string().ok());
                let message =
                    message.unwrap_or_else(|| format!("a {} was thrown", value.type_name()));
                ScriptError::Threw { path, line: None, message }
            }
            CaughtError::Exception(exception) => {
                let message = exception.message().unwrap_or_default();
                if message == "out of memory" {
                    return self.memory();
                }
                let name = exception.as_object().get::<_, String>("name").unwrap_or_default();
                let stack = exception.stack().unwrap_or_default();
                let (path, line) = self.place(&stack);
                let message = if name.is_empty() { message } else { format!("{name}: {message}") };
                ScriptError::Threw { path, line, message }
            }
        }
    }

    fn memory(&self) -> ScriptError {
        ScriptError::Memory { path: self.path.to_path_buf(), max: MEMORY_MAX as u64 }
    }

    fn place(&self, stack: &str) -> (PathBuf, Option<u32>) {
        let place = self.modules.loaded().borrow().place(stack);
        match place {
            Some((path, line)) => (self.modules.shown(&path), line),
            None => (self.path.to_path_buf(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    /// A folder with these files, and what its `function.config.ts` gives.
    fn evaluate(files: &[(&str, &str)]) -> Result<Value, ScriptError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        evaluate_config(&folder.path().join("function.config.ts"), folder.path())
    }

    fn one(source: &str) -> Result<Value, ScriptError> {
        evaluate(&[("function.config.ts", source)])
    }

    #[test]
    fn the_default_export_is_the_configuration() {
        let table = [
            ("export default { a: 1 }", json!({ "a": 1 })),
            (
                "const c: { a: number } = { a: 1 }; export default c satisfies object",
                json!({ "a": 1 }),
            ),
            ("export default () => ({ a: 1 })", json!({ "a": 1 })),
            ("export default async function () { return { a: 1 } }", json!({ "a": 1 })),
            (
                "export default Promise.resolve({ a: [1.5, true, null] })",
                json!({ "a": [1.5, true, null] }),
            ),
            ("enum M { Big = 512 } export default { memory: M.Big }", json!({ "memory": 512 })),
            (
                "export default { a: undefined, b: process.env.HOME ?? 'none' }",
                json!({ "b": "none" }),
            ),
            (
                "console.log('x'); export default { at: new Date(0) }",
                json!({ "at": "1970-01-01T00:00:00.000Z" }),
            ),
            ("export default { secret: '${secrets.A}' }", json!({ "secret": "${secrets.A}" })),
        ];
        for (source, expected) in table {
            assert_eq!(one(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn imports_stay_inside_the_folder() {
        let files = [
            (
                "function.config.ts",
                "import type { Config } from 'nowhere';
              import { defineFunction, type F } from '@evoke/functions';
              import evoke from 'evoke';
              import { memory } from './shared/limits.ts';
              import { timeout } from './shared/times';
              import data from './data.json' with { type: 'json' };
              export default evoke(defineFunction({ memory, timeout, data } as Config));",
            ),
            ("shared/limits.ts", "export { memory } from '../shared/memory.js';"),
            ("shared/memory.ts", "export const memory: number = 512;"),
            ("shared/times.mjs", "export const timeout = 30;"),
            ("data.json", r#"{"__proto__": {"a": "\u2028"}, "b": 1}"#),
        ];
        let value = evaluate(&files).unwrap();
        assert_eq!(value["memory"], 512);
        assert_eq!(value["timeout"], 30);
        assert_eq!(value["data"]["b"], 1);

        for specifier in
            ["lodash", "node:fs", "fs", "/etc/passwd", "file:///etc/passwd", "https://a/b.js"]
        {
            let refused = one(&format!("import a from '{specifier}'; export default {{ a }};"));
            let text = refused.unwrap_err().to_string();
            assert!(text.contains(&format!("cannot import {specifier:?}")), "{text}");
        }
        for specifier in ["./none", "../../../../../../etc/hostname"] {
            let refused = one(&format!("import a from '{specifier}'; export default {{ a }};"));
            assert!(matches!(refused, Err(ScriptError::Import { .. })), "{specifier}: {refused:?}");
        }
    }

    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.ts"), "export default { a: 1 }").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link.ts");
        std::os::unix::fs::symlink(outside.path().join("secret.ts"), &link).unwrap();
        let config = folder.path().join("function.config.ts");
        fs::write(&config, "import a from './link.ts'; export default a;").unwrap();
        let refused = evaluate_config(&config, folder.path());
        assert!(matches!(refused, Err(ScriptError::Import { .. })), "{refused:?}");
        let refused = evaluate_config(&link, folder.path());
        assert!(matches!(refused, Err(ScriptError::Import { .. })), "{refused:?}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let table = [
            ("\n\nthrow new TypeError('no');", "function.config.ts:3: TypeError: no"),
            (
                "type A = 1;\ninterface B {}\n\nexport default () => { null.x }",
                "function.config.ts:4: TypeError",
            ),
            ("throw 'text'", "text"),
            ("throw { a: 1 }", "a object was thrown"),
            ("export const a = 1;", "there is no `export default`"),
            ("module.exports = {}", "module is not defined"),
            ("export default 7", "the default export is number, not an object"),
            ("export default null", "the default export is null, not an object"),
            ("export default { a: { b: () => 1 } }", "\"b\" is a function"),
            ("export default { a: 1n }", "\"a\" is a bigint"),
            ("export default { a: 0 / 0 }", "\"a\" is NaN"),
            ("const a: any = {}; a.a = a; export default a", "circular"),
            ("export default { a: }", "function.config.ts:1:21: "),
            ("await new Promise(() => {}); export default {}", "waits for something"),
            ("export default require('fs')", "require is not defined"),
            ("export default fetch('http://127.0.0.1')", "fetch is not defined"),
        ];
        for (source, expected) in table {
            let text = one(source).unwrap_err().to_string();
            assert!(text.contains(expected), "{source}: {text}");
        }
    }

    #[test]
    fn hostile_scripts_end() {
        let table = [
            "for (;;) {}",
            "export default () => { while (true) {} }",
            "export default { get a() { for (;;) {} } }",
            "const a = []; for (;;) a.push(new Array(1000).fill('x'));",
            "let a = 'x'; for (;;) a += a;",
            "const f = () => f(); f();",
            "/(a+)+$/.test('a'.repeat(40) + 'b'); for (;;) {}",
            "for (;;) { try { for (;;) {} } catch {} }",
            "const f = async () => { await null; return f() }; await f();",
            "export default JSON.parse('['.repeat(100000) + ']'.repeat(100000))",
            "let a = {}; for (let i = 0; i < 100000; i++) a = { a }; export default a",
            "let a = 3n; for (let i = 0; i < 60; i++) a = a * a; export default {}",
        ];
        for source in table {
            assert!(one(source).is_err(), "{source}");
        }
        let memory = one("export default new ArrayBuffer(1 << 30)");
        assert!(memory.is_err());
        let memory = one("const a = []; for (;;) a.push('x'.repeat(1 << 20) + a.length);");
        assert!(matches!(memory, Err(ScriptError::Memory { .. })), "{memory:?}");
        let time = one("for (;;) {}");
        assert!(matches!(time, Err(ScriptError::TimedOut { .. })), "{time:?}");
    }

    #[test]
    fn files_that_are_no_scripts_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("function.config.ts");
        assert!(matches!(evaluate_config(&config, folder.path()), Err(ScriptError::Read { .. })));
        for bytes in [&b""[..], b"\0\x01\xff", b"\xff\xfe{\0}\0", &[b'['; 10_000]] {
            fs::write(&config, bytes).unwrap();
            let refused = evaluate_config(&config, folder.path());
            assert!(refused.is_err(), "{bytes:?}");
        }
        fs::write(&config, " ".repeat(SOURCE_TOO_LARGE)).unwrap();
        let refused = evaluate_config(&config, folder.path());
        assert!(matches!(refused, Err(ScriptError::TooLarge { .. })), "{refused:?}");
    }

    const SOURCE_TOO_LARGE: usize = crate::strip::SOURCE_BYTES_MAX + 1;
}
