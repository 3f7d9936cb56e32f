//! `evoke functions test` and `sample`: a function of a project run once, as a server would run it,
//! without a server. The project is read as `dev` reads it, one worker is started for one call, and
//! nothing is listened to or recorded.

mod call;
mod firing;
mod given;
mod request;
mod samples;
mod subject;
mod worker;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use evoke_cli::args::{SampleEvent, TestSubject};
use evoke_cli::test_run::{Tell, TestReport, TestRun, Told};
use evoke_cli::{Failure, Outcome};
use evoke_client::Class;
use evoke_engine::Draft;
use evoke_model::{Code, Event, Millis, Problem, Trigger};
use evoke_ports::{Clock, Runtime, SystemClock, Timing};
use evoke_project::{Desired, ProjectConfig};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use call::{Calling, Work};
use firing::Gate;
use given::Document;
use subject::{Sources, Subject};
use worker::{Lines, Scratch, Start};

use crate::deploy::Project;
use crate::run::{Given, Wish, url_of};
use crate::{app, signals};

/// A project that was read.
struct Read {
    config: ProjectConfig,
    desired: Desired,
    runtimes: Vec<Arc<dyn Runtime>>,
    sources: Sources,
}

fn read(root: &Path) -> Outcome<Read> {
    let mistake = |error: anyhow::Error| Failure::chain(Class::Mistake, &error);
    let wish = Wish { root: root.to_path_buf(), ..Wish::default() };
    let Given { root, environment, config } = Given::read(wish).map_err(mistake)?;
    let runtimes = app::runtimes(&root, &config).map_err(mistake)?;
    let sources = Sources::new();
    let project = Project::new(&root, &runtimes, sources.by_kind(), environment);
    let desired = project.read(None);
    Ok(Read { config, desired, runtimes, sources })
}

/// Gives an event or a request as `test` makes it up.
///
/// # Errors
/// There is no such function, trigger or kind.
pub(crate) async fn sample(args: SampleEvent) -> Outcome<Value> {
    let TestSubject { name, trigger, kind, dir } = &args.subject;
    if let (None, None, Some(kind)) = (name, trigger, kind) {
        return samples::of_kind(kind, &Sources::new());
    }
    let Read { desired, sources, .. } = read(dir)?;
    let subject = Subject::find(&desired, sources, name.as_deref(), SystemClock.now())?;
    let trigger = subject.wished(&args.subject)?.unwrap_or_else(|| first(&subject));
    samples::of_trigger(&trigger, &subject)
}

/// Runs a function once.
///
/// # Errors
/// What keeps it from being run. That it failed stands in the report.
pub(crate) async fn run(run: TestRun) -> Outcome<TestReport> {
    let TestRun { args, tell } = run;
    let Read { config, desired, runtimes, sources } = read(&args.subject.dir)?;
    let name = args.subject.name.as_deref();
    let subject = Subject::find(&desired, sources, name, SystemClock.now())?;
    for warning in subject::warnings(&desired, &subject.function.spec.name) {
        tell(Told::Note(&warning));
    }
    let document = args.event.as_deref().map(Document::read).transpose()?;
    let origin = url_of(SocketAddr::new(config.server.host, config.server.port));
    let wished = subject.wished(&args.subject)?;
    let task = task(&subject, wished, (document, &origin), &tell)?;
    let started = carry_out(&subject, task, (&args.subject.dir, &origin), (&runtimes, tell)).await;
    for runtime in &runtimes {
        runtime.close().await;
    }
    started
}

/// What is to be done.
struct Task {
    trigger: Arc<Trigger>,
    work: Work,
}

/// The trigger a sample is made for where none is asked for.
fn first(subject: &Subject) -> Arc<Trigger> {
    subject.triggers.first().cloned().unwrap_or_else(|| subject.invocation())
}

/// Decides what the function gets, and for which trigger.
fn task(
    subject: &Subject,
    wished: Option<Arc<Trigger>>,
    (document, origin): (Option<Document>, &str),
    tell: &Tell,
) -> Outcome<Task> {
    let Some(document) = document else {
        let trigger = wished.unwrap_or_else(|| first(subject));
        let sample = Document::sample(&samples::of_trigger(&trigger, subject)?);
        return of_trigger(subject, trigger, (&sample, origin));
    };
    if let Some(trigger) = wished {
        return of_trigger(subject, trigger, (&document, origin));
    }
    if is_request(&document.value()?, subject) {
        return request(subject, subject.routes(), (&document, origin));
    }
    let says = |trigger: &&Arc<Trigger>| {
        let policy = &trigger.policy;
        policy.filter.is_some() || policy.transform.is_some() || firing::is_batched(policy)
    };
    if let Some(trigger) = subject.triggers.iter().find(says) {
        let name = &trigger.name;
        tell(Told::Note(&format!(
            "handed over as it is; --trigger {name} applies the filter, transform and batch of {name:?}"
        )));
    }
    of_trigger(subject, subject.invocation(), (&document, origin))
}

/// Whether a document is a request: all the function gets are requests, or it looks like one.
fn is_request(document: &Value, subject: &Subject) -> bool {
    let routes = subject.routes().len();
    let is_like_one = document.get("path").is_some()
        && ["type", "specversion"].iter().all(|name| document.get(name).is_none());
    routes > 0 && (is_like_one || routes == subject.triggers.len())
}

fn request(
    subject: &Subject,
    routes: Vec<Arc<Trigger>>,
    (document, origin): (&Document, &str),
) -> Outcome<Task> {
    let mut call = request::read(document, origin)?;
    let trigger = request::claimed(&mut call, &routes, subject)?;
    Ok(Task { trigger, work: Work::Request(Box::new(call)) })
}

fn of_trigger(
    subject: &Subject,
    trigger: Arc<Trigger>,
    (document, origin): (&Document, &str),
) -> Outcome<Task> {
    if subject.sources.takes_requests(&trigger.kind) {
        return request(subject, vec![trigger], (document, origin));
    }
    let sample = samples::of_trigger(&trigger, subject)?;
    let kind = sample["type"].as_str().unwrap_or_default();
    let drafts = document.events(kind, SystemClock.now())?;
    let is_question = drafts.iter().any(|draft| *draft.kind == *samples::QUESTION);
    let events = drafts.into_iter().map(|draft| event(draft, &sample, &trigger, subject));
    // A question is no firing: nothing stands between it and the function.
    let events = match is_question {
        true => events.collect::<Vec<_>>(),
        false => {
            let gate = Gate::new(trigger.clone(), &subject.sources)?;
            events.map(|event| gate.through(event)).collect::<Outcome<_>>()?
        }
    };
    let is_list = firing::is_batched(&trigger.policy) && !is_question;
    let events = events.into_iter().map(Arc::new).collect();
    let work = match is_list {
        true => list(events),
        false => single(events),
    };
    let work = work.ok_or_else(|| {
        let problem = Problem::new("", "expected one event")
            .suggest("only a trigger with a batch gets several: name one with --trigger");
        document.refused(Code::InvalidEvent.as_str(), vec![problem])
    })?;
    Ok(Task { trigger, work })
}

/// The events, if there are any.
fn list(events: Vec<Arc<Event>>) -> Option<Work> {
    (!events.is_empty()).then_some(Work::Batch(events))
}

/// The event, if it is one.
fn single(events: Vec<Arc<Event>>) -> Option<Work> {
    let [event] = <[_; 1]>::try_from(events).ok()?;
    Some(Work::Event(event))
}

/// An accepted event, marked as a test.
fn event(draft: Draft, sample: &Value, trigger: &Trigger, subject: &Subject) -> Event {
    let now = SystemClock.now();
    let source = subject.sources.get(&trigger.kind).and_then(|source| source.origin());
    let source_default = match (source, sample["source"].as_str()) {
        (Some(origin), _) => format!("{origin}/{}", trigger.id),
        (None, Some(source)) => source.to_owned(),
        (None, None) => "/test".to_owned(),
    };
    Event {
        id: subject.ids.event(now),
        sender_id: draft.id,
        source: draft.source.unwrap_or_else(|| source_default.into()),
        kind: draft.kind,
        subject: draft.subject.or_else(|| sample["subject"].as_str().map(Into::into)),
        time: draft.time.unwrap_or(now),
        content_type: draft.content_type,
        data_schema: draft.data_schema,
        data: draft.data,
        extensions: draft.extensions,
        lineage: None,
        traceparent: draft.traceparent,
        ordering_key: draft.ordering_key,
        due: None,
        is_test_run: true,
        replay_of: None,
    }
}

async fn carry_out(
    subject: &Subject,
    Task { trigger, work }: Task,
    (root, url): (&Path, &str),
    (runtimes, tell): (&[Arc<dyn Runtime>], Tell),
) -> Outcome<TestReport> {
    let cancel =
        signals::stop().map_err(|error| Failure::fault(format!("hear signals: {error}")))?;
    let scratch = Scratch::make(root)?;
    let lines = Arc::new(Lines::new(tell));
    let function = subject.function.clone();
    let input = described(&work);
    let start =
        Start { function, scratch: &scratch, url, lines: lines.clone(), now: SystemClock.now() };
    let deployed = started(worker::start(runtimes, start), &cancel).await?;
    let timeout = timeout(&trigger, &work, subject);
    let calling = Calling { trigger: trigger.clone(), timeout, logs: lines.clone(), cancel };
    let ended = call::make(&deployed, &calling, work).await;
    deployed.pool.drain(Millis::ZERO).await;
    let call::Ended { end, took } = ended?;
    Ok(TestReport {
        function: subject.function.spec.name.clone(),
        trigger: trigger.name.clone(),
        trigger_kind: trigger.kind.clone(),
        input,
        took,
        end,
        logs: lines.take(),
    })
}

/// Waits for a worker, unless the user does not want to any more.
async fn started<T>(
    start: impl Future<Output = Outcome<T>>,
    cancel: &CancellationToken,
) -> Outcome<T> {
    tokio::select! {
        started = start => started,
        () = cancel.cancelled() => Err(Failure::mistake("stopped before the function ran")),
    }
}

/// How long the trigger lets the function take; the function's own limit holds beside it.
fn timeout(trigger: &Trigger, work: &Work, subject: &Subject) -> Option<Millis> {
    let is_question = matches!(work, Work::Event(event) if *event.kind == *samples::QUESTION);
    let source = subject.sources.get(&trigger.kind);
    match source.and_then(|source| source.timing(&trigger.config)) {
        Some(Timing::Poll(poll)) if is_question => Some(poll.timeout),
        _ => trigger.policy.timeout,
    }
}

/// What the function gets, as the report shows it.
fn described(work: &Work) -> Value {
    let event = |event: &Arc<Event>| {
        let mut text = Vec::new();
        event.write_json(&mut text);
        serde_json::from_slice::<Value>(&text).unwrap_or_default()
    };
    match work {
        Work::Event(one) => event(one),
        Work::Batch(events) => json!(events.iter().map(event).collect::<Vec<_>>()),
        Work::Request(call) => request::described(call),
    }
}
