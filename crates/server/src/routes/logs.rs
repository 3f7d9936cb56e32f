//! What functions print, from the record or as it is printed.

use axum::Json;
use axum::response::{IntoResponse, Response};
use evoke_api::{LogEntry, Page};
use evoke_engine::Notice;
use evoke_model::LogLine;
use evoke_model::execution::Level;
use utoipa::IntoParams;

use super::selection::{Selection, Whose, function_name};
use crate::extract::{Segment, Shared};
use crate::query::{FromQuery, Paging, Params, Query, Span};
use crate::refusal::Refusal;
use crate::stream::follow;

/// Which lines.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// This loud or louder: `debug`, `info`, `warn`, `error`.
    #[param(value_type = Option<String>)]
    level: Option<Loudness>,
    /// That contain this text.
    q: Option<String>,
    /// Stream lines as they are printed (SSE) instead of listing those that were.
    #[param(value_type = Option<bool>)]
    follow: bool,
}

/// A level as it is written in a query.
#[derive(Clone, Copy)]
struct Loudness(Level);

impl std::str::FromStr for Loudness {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "debug" => Ok(Self(Level::Debug)),
            "info" => Ok(Self(Level::Info)),
            "warn" => Ok(Self(Level::Warn)),
            "error" => Ok(Self(Level::Error)),
            _ => Err(()),
        }
    }
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            level: query.parsed("level", "debug, info, warn or error"),
            q: query.text("q"),
            follow: query.flag("follow").unwrap_or(false),
        }
    }
}

impl Filter {
    fn matches(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| line.level >= level.0)
            && self.q.as_ref().is_none_or(|text| line.message.contains(text))
    }
}

/// List what a function printed
///
/// The lines of its last executions, newest execution first, `limit` executions a page; with
/// `follow=true` as they come.
#[utoipa::path(
    get, path = "/functions/{id}/logs", tag = "functions",
    operation_id = "list_function_logs",
    params(("id" = String, Path, description = "Id or name"), Filter, Span, Paging),
    responses((status = 200, description = "A page, or a stream", content(
        (Page<LogEntry> = "application/json"),
        (String = "text/event-stream"),
    ))),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Segment(id): Segment,
    Params((filter, span, paging)): Params<(Filter, Span, Paging)>,
) -> Result<Response, Refusal> {
    let name = function_name(&server.engine, &id)?;
    if filter.follow {
        return Ok(follow(&server, "log", move |notice| match notice {
            Notice::Log { function, line, .. } if **function == *name && filter.matches(line) => {
                LogEntry::of(notice)
            }
            _ => None,
        }));
    }
    let wanted = Selection {
        whose: Whose { function: Some(name.clone()), trigger: None },
        span,
        paging,
        ..Selection::default()
    };
    let found = wanted.page(&server.engine).await?;
    let mut lines = Vec::new();
    for view in &found.items {
        let printed = view.execution.last.iter().flat_map(|attempt| &attempt.logs);
        lines.extend(
            printed
                .filter(|line| filter.matches(line))
                .map(|line| LogEntry::new(Some(view.execution.id), &name, line)),
        );
    }
    Ok(Json(Page { data: lines, next_cursor: found.next }).into_response())
}
