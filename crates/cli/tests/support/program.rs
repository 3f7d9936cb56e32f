//! The command line with hooks that only tell what they were given: what the tests start.

use std::io::Write;
use std::process::ExitCode;

use evoke_cli::{Failure, Finding, Hooks, Outcome};
use serde_json::json;

fn tell(text: &str) -> Outcome {
    writeln!(std::io::stdout(), "{text}").map_err(|error| Failure::fault(error.to_string()))
}

fn main() -> ExitCode {
    let finding = Finding {
        area: "runtime".into(),
        name: "bun".into(),
        ok: false,
        detail: String::new(),
        hint: Some("install Bun".into()),
    };
    evoke_cli::run(Hooks {
        dev: Box::new(|args| tell(&format!("dev {} {:?}", args.project.dir.display(), args.port))),
        serve: Box::new(|args| tell(&format!("serve {}", args.config.display()))),
        init: Box::new(|args| Ok(vec![format!("functions/{}/index.ts", args.name).into()])),
        doctor: Box::new(|()| Ok(vec![finding])),
        bench: Box::new(|args| tell(&format!("bench {:?}", args.only))),
        openapi: Box::new(|()| Ok(json!({ "openapi": "3.1.0" }))),
        schema: Box::new(|()| Err(Failure::fault("no schema"))),
        create_local_key: Box::new(|args| {
            Ok(json!({ "id": "key_1", "name": args.name, "key": "evk_local" }))
        }),
    })
}
