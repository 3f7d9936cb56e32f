//! Functions.

use evoke_engine::FunctionView;
use evoke_model::{ByteSize, Code, FunctionId, Millis, Problem, Timestamp, TriggerId};
use evoke_ports::PoolStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// A function as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Function {
    /// The id.
    #[schema(value_type = String, example = "fn_01j9z3k5m7n8p")]
    pub id: FunctionId,
    /// The name.
    pub name: String,
    /// Whether it can be called.
    pub status: Status,
    /// The runtime as its manifest asks for it.
    pub runtime: String,
    /// `file.export`, where the manifest names one.
    pub handler: Option<String>,
    /// Limit of the memory of one worker.
    #[schema(value_type = String, example = "256mb")]
    pub memory: ByteSize,
    /// Limit of one attempt.
    #[schema(value_type = String, example = "30s")]
    pub timeout: Millis,
    /// Names of its variables. Values may be secret and are not shown.
    pub environment: Vec<String>,
    /// How its workers are scaled.
    pub scaling: Scaling,
    /// The number of the current version.
    pub version: u32,
    /// SHA-256 over its code and manifest.
    pub hash: String,
    /// Its workers, when it can be called.
    pub workers: Option<Workers>,
    /// Why the last deployment failed, if it did.
    pub error: Option<DeploymentError>,
    /// What calls it.
    pub triggers: Vec<TriggerSummary>,
    /// When it first came.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When the current version was made.
    #[schema(schema_with = schemas::time)]
    pub updated_at: Timestamp,
}

/// Whether a function can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It can.
    Ready,
    /// It can, but its last deployment failed: the version before it runs.
    Stale,
    /// It cannot: its deployment failed.
    Failed,
    /// It cannot: nothing was deployed since the server started.
    Missing,
}

/// How a function's workers are scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scaling {
    /// Workers kept when nothing is called.
    pub min_instances: u32,
    /// Workers at most.
    pub max_instances: u32,
    /// Calls one worker takes at once.
    pub target_concurrency: u32,
}

/// The workers of a function's current version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workers {
    /// Workers that take calls.
    pub ready: u32,
    /// Workers that are starting.
    pub starting: u32,
    /// Calls under way.
    pub calls: u32,
    /// Calls waiting for a worker.
    pub waiting: u32,
    /// Starts so far.
    pub cold_starts: u64,
    /// Workers that died or were killed so far.
    pub deaths: u64,
    /// Resident memory of all workers.
    pub memory_bytes: u64,
    /// CPU time of all workers so far.
    pub cpu_ms: u64,
    /// How limits are enforced and what the sandbox is made of.
    pub isolation: Vec<String>,
}

/// Why a deployment failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentError {
    /// FN_005 or FN_006.
    #[schema(value_type = String, example = "FN_005")]
    pub code: Code,
    /// One sentence, then the tool's own words.
    pub message: String,
    /// The stack in the user's lines, where loading the code failed.
    pub stack: Option<String>,
    /// Single fields, where the manifest is to blame.
    #[schema(value_type = Vec<crate::error::FieldProblem>)]
    pub problems: Vec<Problem>,
}

/// A trigger in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TriggerSummary {
    /// The id.
    #[schema(value_type = String)]
    pub id: TriggerId,
    /// The name.
    pub name: String,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it fires.
    pub enabled: bool,
}

impl From<FunctionView> for Function {
    fn from(view: FunctionView) -> Self {
        let FunctionView { record, status: pool, error, triggers } = view;
        let status = match (&pool, &error) {
            (Some(_), None) => Status::Ready,
            (Some(_), Some(_)) => Status::Stale,
            (None, Some(_)) => Status::Failed,
            (None, None) => Status::Missing,
        };
        let spec = record.spec;
        Self {
            id: record.id,
            name: spec.name,
            status,
            runtime: spec.runtime,
            handler: spec.handler,
            memory: spec.memory,
            timeout: spec.timeout,
            environment: spec.environment.into_keys().collect(),
            scaling: Scaling {
                min_instances: spec.scaling.min_instances,
                max_instances: spec.scaling.max_instances,
                target_concurrency: spec.scaling.target_concurrency,
            },
            version: record.version,
            hash: record.hash,
            workers: pool.map(Workers::from),
            error: error.map(|error| DeploymentError {
                code: error.code,
                message: error.message,
                stack: error.stack,
                problems: error.problems,
            }),
            triggers: triggers
                .iter()
                .map(|trigger| TriggerSummary {
                    id: trigger.id,
                    name: trigger.name.clone(),
                    kind: trigger.kind.clone(),
                    enabled: trigger.enabled,
                })
                .collect(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl From<PoolStatus> for Workers {
    fn from(status: PoolStatus) -> Self {
        Self {
            ready: status.workers,
            starting: status.starting,
            calls: status.calls,
            waiting: status.waiting,
            cold_starts: status.cold_starts,
            deaths: status.deaths,
            memory_bytes: status.memory_bytes,
            cpu_ms: status.cpu_ms,
            isolation: status.isolation,
        }
    }
}
