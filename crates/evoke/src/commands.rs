//! The commands that need the inside: given to the command line, which knows only the outside.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use evoke_bench::load::Generator;
use evoke_bench::{Form, Options};
use evoke_cli::args::{BenchArgs, DevArgs, InitArgs, LocalKeyArgs, ServeArgs};
use evoke_cli::live::{ColorChoice, render};
use evoke_cli::{Failure, Hooks, Outcome};
use evoke_client::Class;
use evoke_engine::Engine;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::app::{App, Mode};
use crate::run::{Given, Running, Wish};
use crate::{doctor, function_test, signals, telemetry};

/// All of them.
pub fn hooks() -> Hooks {
    Hooks {
        dev: Box::new(|args| block_on(dev(args))),
        serve: Box::new(|args| block_on(serve(args))),
        init: Box::new(init),
        test: Box::new(|run| in_runtime(function_test::run(run))?),
        sample: Box::new(|args| in_runtime(function_test::sample(args))?),
        doctor: Box::new(|()| block_on(doctor::look())),
        bench: Box::new(bench),
        openapi: Box::new(|()| {
            let text = evoke_server::openapi();
            serde_json::from_str(&text).map_err(|error| Failure::fault(error.to_string()))
        }),
        simulate: Box::new(|args| crate::simulate::simulate(&args)),
        schema: Box::new(|()| Ok(evoke_project::manifest_schema())),
        create_local_key: Box::new(|args| block_on(create_local_key(args))),
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> Outcome<T> {
    in_runtime(work)?.map_err(|error| Failure::chain(Class::Mistake, &error))
}

fn in_runtime<T>(work: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::fault(format!("start the runtime: {error}")))?;
    let result = runtime.block_on(work);
    // What still blocks a thread (a read of a terminal) is not waited for.
    runtime.shutdown_background();
    Ok(result)
}

async fn dev(args: DevArgs) -> anyhow::Result<()> {
    let wish = Wish { root: args.project.dir, port: args.port, host: args.host };
    let feed = |engine: &Engine| {
        if !args.quiet {
            tokio::spawn(show(engine.clone()));
        }
    };
    live(wish, Mode::Dev, feed).await
}

async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    if !args.config.is_file() {
        anyhow::bail!("there is no file {}", args.config.display());
    }
    let wish = Wish { root: folder_of(&args.config), ..Wish::default() };
    live(wish, Mode::Serve, |_| {}).await
}

/// Serves a project until the user stops it.
async fn live(wish: Wish, mode: Mode, begun: impl Fn(&Engine)) -> anyhow::Result<()> {
    let given = Given::read(wish)?;
    telemetry::init(&given.config.log)?;
    let stop = signals::stop()?;
    let mut running = Running::start(given, mode, stop.clone()).await?;
    say(&format!("ready {}", running.url))?;
    begun(running.engine());
    running.follow(&stop).await;
    running.end().await;
    Ok(())
}

/// The folder a file lies in.
fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("write to stdout")
}

/// Shows what happens until nobody reads it any more.
async fn show(engine: Engine) {
    let mut feed = engine.subscribe();
    loop {
        let line = match feed.recv().await {
            Ok(notice) => render(&notice, ColorChoice::Always),
            Err(RecvError::Lagged(missed)) => format!("... {missed} lines were not shown"),
            Err(RecvError::Closed) => return,
        };
        if writeln!(anstream::stdout(), "{line}").is_err() {
            return;
        }
    }
}

fn init(args: InitArgs) -> Outcome<Vec<PathBuf>> {
    let runtime = args.runtime.as_deref().unwrap_or(evoke_project::scaffold::RUNTIME_DEFAULT);
    evoke_project::scaffold(&args.dir, &args.name, runtime)
        .map_err(|error| Failure::chain(Class::Mistake, &error.into()))
}

fn bench(args: BenchArgs) -> Outcome {
    if args.load {
        return evoke_bench::load::serve()
            .map_err(|error| Failure::fault(format!("generate load: {error}")));
    }
    let own = std::env::current_exe()
        .map_err(|error| Failure::fault(format!("find this program: {error}")))?;
    let only = args.only.iter().map(|id| id.parse().map_err(Failure::mistake));
    let options = Options {
        form: if args.full { Form::Full } else { Form::Quick },
        only: only.collect::<Outcome<Vec<_>>>()?,
        json: args.json,
        server: args.binary.unwrap_or_else(|| own.clone()),
        generator: Generator { program: own, args: vec!["bench".into(), "--load".into()] },
        folder: args.folder,
        restate: args.restate,
    };
    let talk = |line: &str| {
        // There is nowhere to tell that nobody listens.
        writeln!(anstream::stderr(), "{line}").ok();
    };
    let report = evoke_bench::run(&options, &talk)
        .map_err(|error| Failure::chain(Class::Server, &error.into()))?;
    say(&report.table())?;
    match report.is_good() {
        true => Ok(()),
        false => Err(Failure::fault("a goal that must be reached was missed")),
    }
}

/// Makes a key in a store that no server has open.
async fn create_local_key(args: LocalKeyArgs) -> anyhow::Result<Value> {
    let wish = Wish { root: folder_of(&args.config), ..Wish::default() };
    let Given { root, config, .. } = Given::read(wish)?;
    let tracer = std::sync::Arc::new(evoke_ports::NoTracer);
    let app = App::start(&root, &config, String::new(), Mode::Serve, tracer).await?;
    let (key, secret) = app.engine.create_key(args.name).await?;
    app.engine.stop(evoke_model::Millis::ZERO).await;
    let time = key.created_at.to_string();
    Ok(json!({ "id": key.id, "name": key.name, "key": secret, "created_at": time }))
}
