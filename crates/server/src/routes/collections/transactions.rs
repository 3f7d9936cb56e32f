//! Several changes, all or none.

use axum::Json as Out;
use evoke_api::document::{Done, Transacted, TransactionBody};
use evoke_database::Asked;
use evoke_model::Code;

use super::origin;
use crate::extract::{About, Json, Shared};
use crate::refusal::Refusal;

/// Change several documents
///
/// Of any collections: all of them or, where one cannot be changed or a hook says no, none. Each
/// change has its event.
#[utoipa::path(
    post, path = "/transactions", tag = "database",
    operation_id = "transact",
    request_body = TransactionBody,
    responses((status = 200, description = "All were made, durable", body = Transacted)),
)]
pub(crate) async fn transact(
    Shared(server): Shared,
    About(context): About,
    Json(body): Json,
) -> Result<Out<Transacted>, Refusal> {
    let database = server.options.services.database()?;
    let operations = TransactionBody::read(body).map_err(Refusal::invalid)?;
    let _patient = context.patience.begin();
    let outcomes = database.transact(&operations, Asked::Operations, &origin(&context)).await?;
    let mut data = Vec::with_capacity(outcomes.len());
    for (operation, outcome) in operations.iter().zip(&outcomes) {
        let done = Done::new(&operation.collection, outcome.as_ref());
        data.push(done.map_err(|error| {
            let message = format!("a document cannot be read: {error}");
            Refusal::new(Code::Internal, message)
        })?);
    }
    Ok(Out(Transacted { data }))
}
