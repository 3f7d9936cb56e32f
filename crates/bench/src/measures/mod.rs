//! The benchmarks. Each file measures what one kind of server can be asked for.

mod backlog;
mod calls;
mod cold;
mod documents;
mod dormant;
mod events;
mod fairness;
mod latency;
mod peer;
mod policies;
mod purge;
mod restart;
mod schedules;

use std::path::Path;

use crate::error::{Result, Tried};
use crate::floors::Language;
use crate::load::{LoadReport, LoadSpec, Pace, Request};
use crate::options::{Id, Options};
use crate::report::Row;
use crate::server::{Control, Function, Launch, Project, Server};

/// Connections of a busy sender.
pub(crate) const CONNECTIONS: u32 = 64;

/// What every benchmark is given.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    /// The folder below which projects and stores are made.
    pub(crate) folder: &'a Path,
    /// Told what is being done.
    pub(crate) say: &'a dyn Fn(&str),
}

/// A group of benchmarks that share a server.
pub(crate) struct Group {
    pub(crate) ids: &'static [Id],
    pub(crate) measure: fn(&Bench<'_>) -> Result<Vec<Row>>,
}

const B1: Id = Id::new(1);
const B2: Id = Id::new(2);
const B3: Id = Id::new(3);
const B4: Id = Id::new(4);
const B5: Id = Id::new(5);
const B6: Id = Id::new(6);
const B7: Id = Id::new(7);
const B8: Id = Id::new(8);
const B9: Id = Id::new(9);
const B10: Id = Id::new(10);
const B11: Id = Id::new(11);
const B12: Id = Id::new(12);
const B13: Id = Id::new(13);
const B14: Id = Id::new(14);
const B15: Id = Id::new(15);
const B16: Id = Id::new(16);
const B17: Id = Id::new(17);

/// All groups, in the order they are run.
pub(crate) const GROUPS: &[Group] = &[
    Group { ids: &[B1, B2, B4, B5, B10], measure: events::measure },
    Group { ids: &[B3], measure: peer::measure },
    Group { ids: &[B6, B7], measure: calls::measure },
    Group { ids: &[B8], measure: cold::measure },
    Group { ids: &[B9], measure: calls::in_flight },
    Group { ids: &[B10, B11], measure: backlog::measure },
    Group { ids: &[B12], measure: restart::measure },
    Group { ids: &[B13], measure: schedules::measure },
    Group { ids: &[B13], measure: dormant::measure },
    Group { ids: &[B14], measure: policies::measure },
    Group { ids: &[B15], measure: fairness::measure },
    Group { ids: &[B16], measure: purge::measure },
    Group { ids: &[B17], measure: documents::measure },
];

impl Bench<'_> {
    pub(crate) fn wants(&self, id: Id) -> bool {
        self.options.wants(id)
    }

    pub(crate) fn say(&self, text: &str) {
        (self.say)(text);
    }

    /// A load over many connections, each request as soon as the last was answered.
    pub(crate) fn closed(
        &self,
        to: &Control,
        request: Request,
        amount: Amount,
    ) -> Result<LoadReport> {
        self.load(&LoadSpec {
            address: to.address,
            connections: amount.connections,
            request,
            pace: Pace::Closed,
            requests: amount.requests,
            millis: amount.millis,
            first: amount.first,
        })
    }

    /// A load as it is described.
    pub(crate) fn load(&self, spec: &LoadSpec) -> Result<LoadReport> {
        self.options.generator.run(spec).tried(|| "run the load generator".into())
    }

    /// A server on a project.
    pub(crate) fn serve(&self, project: &Project) -> Result<Server> {
        Server::start(Launch { binary: &self.options.server, project: project.path() })
    }
}

/// How much load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) connections: u32,
    pub(crate) requests: Option<u64>,
    pub(crate) millis: Option<u64>,
    pub(crate) first: u64,
}

impl Amount {
    pub(crate) const fn requests(connections: u32, requests: u64) -> Self {
        Self { connections, requests: Some(requests), millis: None, first: 0 }
    }

    pub(crate) const fn millis(connections: u32, millis: u64) -> Self {
        Self { connections, requests: None, millis: Some(millis), first: 0 }
    }
}

/// A POST with this body.
pub(crate) fn post(to: &Control, path: &str, body: impl Into<String>) -> Request {
    Request { method: "POST".into(), path: path.into(), body: body.into(), key: to.key.clone() }
}

/// One event in the short form, as large as the floor's rows.
pub(crate) fn event(kind: &str) -> String {
    let number = crate::load::PLACEHOLDER;
    format!(
        r#"{{"type":"{kind}","data":{{"run":"bench","n":"{number}","customer":"cus_81","total":129.95,"currency":"EUR","items":[{{"sku":"A-1","quantity":2}},{{"sku":"B-7","quantity":1}}],"note":"as large as the floor's"}}}}"#
    )
}

/// So many events in one request.
pub(crate) fn batch(kind: &str, size: usize) -> String {
    format!("[{}]", vec![event(kind); size].join(","))
}

/// The function of the event benchmarks: one warm Node worker, as many calls at once as it can use.
pub(crate) fn add_tick(project: &Project) -> Result<()> {
    project.add(&Function {
        name: "tick",
        runtime: &Language::Node.runtime()?,
        manifest: "handler: index.handler\n\
                   scaling: { minInstances: 1, maxInstances: 1, targetConcurrency: 256 }\n\
                   triggers:\n  - { type: event, match: bench.tick }\n",
        code: include_str!("../../assets/tick.mjs"),
    })
}
