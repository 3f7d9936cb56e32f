//! What the caller of the command line gives: the commands that need the inside of a server, a
//! project or this machine. They block; a hook that needs a runtime makes its own.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::args::{
    BenchArgs, DevArgs, InitArgs, LocalKeyArgs, SampleEvent, ServeArgs, SimulateArgs,
};
use crate::failure::Outcome;
use crate::test_run::{TestReport, TestRun};

/// A command somebody else carries out.
pub type Hook<Given, Gives = ()> = Box<dyn FnOnce(Given) -> Outcome<Gives>>;

/// The commands that are carried out by the caller.
pub struct Hooks {
    /// `evoke dev`: runs until it is stopped.
    pub dev: Hook<DevArgs>,
    /// `evoke serve`: runs until it is stopped.
    pub serve: Hook<ServeArgs>,
    /// `evoke functions init`: gives the files that were written.
    pub init: Hook<InitArgs, Vec<PathBuf>>,
    /// `evoke functions test`: runs a function once and gives what came of it.
    pub test: Hook<TestRun, TestReport>,
    /// `evoke functions sample`: gives an event or a request.
    pub sample: Hook<SampleEvent, Value>,
    /// `evoke doctor`: gives what was found.
    pub doctor: Hook<(), Vec<Finding>>,
    /// `evoke bench`: prints its own report.
    pub bench: Hook<BenchArgs>,
    /// `evoke openapi`: gives the document.
    pub openapi: Hook<(), Value>,
    /// `evoke schedules simulate`: gives the timeline, its instants by the clock of the zone.
    pub simulate: Hook<SimulateArgs, Value>,
    /// `evoke schema`: gives the JSON Schema of manifests.
    pub schema: Hook<(), Value>,
    /// `evoke keys create --local`: gives the key as `POST /api/keys` would.
    pub create_local_key: Hook<LocalKeyArgs, Value>,
}

/// One thing that was looked for on this machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What it belongs to: `runtime`, `sandbox`, `store`.
    pub area: String,
    /// What was looked for: `nodejs22`.
    pub name: String,
    /// Whether it can be used.
    pub ok: bool,
    /// What was found: a version and a path, a kernel feature.
    pub detail: String,
    /// What to do when it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
