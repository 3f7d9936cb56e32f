//! Asking for operations, looking at them, cancelling them.

use evoke_model::operation::{OperationKind, OperationStatus, Progress};
use evoke_model::{Code, Operation, OperationId, Rejection};
use evoke_ports::store::Change;
use serde::Serialize;

use super::log::Wanted;
use super::request::{Redrive, Replay, ReplayCount};
use super::{redrive, replay};
use crate::audit::{Actor, action};
use crate::dead_letters::Selection;
use crate::start::Engine;

impl Engine {
    /// Begins to run dead letters again. It goes on in the background; see [`Engine::operation`].
    ///
    /// # Errors
    /// API_001 with everything that is wrong, FN_001, OP_002 when too many operations go on,
    /// ST_001.
    pub async fn redrive(&self, request: Redrive, actor: &Actor) -> Result<Operation, Rejection> {
        Selection::of(&self.inner, &request.filter)?;
        request.check(&self.inner)?;
        self.start_operation(OperationKind::Redrive, &request, actor).await
    }

    /// How many dead letters a redrive would run again.
    ///
    /// # Errors
    /// API_001, FN_001, ST_001.
    pub async fn count_redrive(&self, request: &Redrive) -> Result<u64, Rejection> {
        request.check(&self.inner)?;
        redrive::count(&self.inner, request).await
    }

    /// Begins to send events of the log again. It goes on in the background; see
    /// [`Engine::operation`].
    ///
    /// # Errors
    /// API_001 with everything that is wrong, FN_001, TR_001, OP_002 when too many operations go
    /// on, ST_001.
    pub async fn replay(&self, request: Replay, actor: &Actor) -> Result<Operation, Rejection> {
        Wanted::of(&request)?;
        request.check(&self.inner)?;
        self.start_operation(OperationKind::Replay, &request, actor).await
    }

    /// What a replay would send.
    ///
    /// # Errors
    /// API_001, FN_001, TR_001, ST_001.
    pub async fn count_replay(&self, request: &Replay) -> Result<ReplayCount, Rejection> {
        request.check(&self.inner)?;
        replay::count(&self.inner, request).await
    }

    /// Operations, newest first: those that go on and those of the last 30 days, at most 1,000.
    pub fn operations(&self) -> Vec<Operation> {
        let all = self.inner.operations.all();
        all.iter().rev().map(|live| live.operation()).collect()
    }

    /// One operation, with its progress at this moment.
    ///
    /// # Errors
    /// OP_001.
    pub fn operation(&self, id: OperationId) -> Result<Operation, Rejection> {
        self.inner.operations.get(id).map(|live| live.operation())
    }

    /// Ends an operation before it is done. What it has sent runs on; nothing is half sent.
    ///
    /// # Errors
    /// OP_001; OP_002 when it is over; API_007 while the engine stops.
    pub async fn cancel_operation(
        &self,
        id: OperationId,
        actor: &Actor,
    ) -> Result<Operation, Rejection> {
        let live = self.inner.operations.get(id)?;
        let over = |operation: &Operation| {
            let status = operation.status.as_str();
            let message = format!("operation {id} is {status}, there is nothing to cancel");
            Rejection::new(Code::OperationState, message)
        };
        if !live.is_running() {
            return Err(over(&live.operation()));
        }
        live.call_off(actor);
        // One that was not started since the restart ends as well.
        self.inner.begin_operation(live.clone());
        live.over.cancelled().await;
        let operation = live.operation();
        match operation.status {
            OperationStatus::Cancelled => Ok(operation),
            OperationStatus::Running => {
                Err(Rejection::new(Code::ShuttingDown, "the server is shutting down"))
            }
            OperationStatus::Done | OperationStatus::Stopped => Err(over(&operation)),
        }
    }

    async fn start_operation(
        &self,
        kind: OperationKind,
        request: &impl Serialize,
        actor: &Actor,
    ) -> Result<Operation, Rejection> {
        let inner = &self.inner;
        let request = serde_json::to_value(request)
            .map_err(|error| Rejection::new(Code::InvalidRequest, error.to_string()))?;
        let now = inner.clock.now();
        let operation = Operation {
            id: OperationId::from_u64(inner.ids.next(now)),
            kind,
            status: OperationStatus::Running,
            request: request.clone(),
            progress: Progress::default(),
            cursor: None,
            actor: actor.0.to_string(),
            reason: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
        };
        let id = operation.id;
        let live = inner.operations.enter(operation.clone())?;
        let name = match kind {
            OperationKind::Redrive => action::REDRIVE,
            OperationKind::Replay => action::REPLAY,
        };
        let entry = inner.audit_entry(actor, name, id.to_string(), request);
        if let Err(rejection) = inner.change_all([Change::Operation(operation), entry]).await {
            inner.operations.leave(id);
            return Err(rejection);
        }
        inner.begin_operation(live.clone());
        Ok(live.operation())
    }
}
