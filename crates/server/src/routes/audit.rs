//! The audit trail: who changed what by hand.

use axum::Json;
use evoke_api::{AuditEntry, Page};
use evoke_ports::store::AuditQuery;
use utoipa::IntoParams;

use crate::extract::Shared;
use crate::query::{FromQuery, Paging, Params, Query};
use crate::refusal::Refusal;

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Exact action, or a prefix that ends in `*`.
    #[param(example = "dead_letter.*")]
    action: Option<String>,
    /// What was changed: an id.
    subject: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self { action: query.text("action"), subject: query.text("subject") }
    }
}

/// List the audit trail
///
/// What somebody changed by hand, newest first.
#[utoipa::path(
    get, path = "/audit", tag = "operations",
    operation_id = "list_audit",
    params(Filter, Paging),
    responses((status = 200, description = "A page", body = Page<AuditEntry>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((filter, paging)): Params<(Filter, Paging)>,
) -> Result<Json<Page<AuditEntry>>, Refusal> {
    let Filter { action, subject } = filter;
    let query = AuditQuery { action, subject, limit: paging.limit, cursor: paging.cursor };
    Ok(Json(Page::of(server.engine.audit(query).await?, AuditEntry::from)))
}
