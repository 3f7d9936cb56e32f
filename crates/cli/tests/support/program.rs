//! The command line with hooks that only tell what they were given: what the tests start.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use evoke_cli::test_run::{End, TestReport, Told};
use evoke_cli::{Failure, Finding, Hooks, Outcome};
use evoke_model::{Code, Data, Failure as Failed};
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
        test: Box::new(|run| {
            (run.tell)(Told::Note("installing"));
            Ok(TestReport {
                function: run.args.subject.name.unwrap_or_default(),
                trigger: "orders".into(),
                trigger_kind: "event".into(),
                input: json!({ "type": "order.created" }),
                took: Duration::from_millis(3),
                end: match run.args.event.as_deref() {
                    Some("bad.json") => {
                        let failure = Failed::new(Code::FunctionError, "Error: boom");
                        End::Failed(Failed { stack: Some("at handler".into()), ..failure })
                    }
                    _ => End::Value(Data::Json("{\"ok\":true}".into())),
                },
                logs: Vec::new(),
            })
        }),
        sample: Box::new(|args| Ok(json!({ "type": args.subject.kind }))),
        doctor: Box::new(|()| Ok(vec![finding])),
        bench: Box::new(|args| tell(&format!("bench {:?}", args.only))),
        openapi: Box::new(|()| Ok(json!({ "openapi": "3.1.0" }))),
        simulate: Box::new(|args| Ok(json!({ "days": args.days }))),
        schema: Box::new(|()| Err(Failure::fault("no schema"))),
        create_local_key: Box::new(|args| {
            Ok(json!({ "id": "key_1", "name": args.name, "key": "evk_local" }))
        }),
    })
}
