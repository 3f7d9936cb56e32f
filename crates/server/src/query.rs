//! Query parameters: read by name, checked, and all problems told at once. A name nobody asked for
//! is a problem too: a filter with a slip in it must not silently match everything.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use evoke_api::Page;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Problem, Timestamp};
use http::request::Parts;
use utoipa::IntoParams;

use crate::refusal::Refusal;

/// Items in a page where the caller does not say.
const LIMIT_DEFAULT: u32 = 50;
/// Items in a page at most: what stores promise.
const LIMIT_MAX: u32 = 1_000;

/// Something that is read from query parameters.
pub(crate) trait FromQuery: Sized {
    /// Takes what it knows from the query.
    fn read(query: &mut Query) -> Self;
}

/// Which part of a list that is kept in memory.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Window {
    /// Items in the page; all of them if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: u32,
    /// From `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: usize,
}

impl FromQuery for Window {
    fn read(query: &mut Query) -> Self {
        let limit = query.limit_or(LIMIT_MAX);
        Self { limit, cursor: query.parsed("cursor", "a cursor of this list").unwrap_or(0) }
    }
}

impl Window {
    /// The part of a list.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> Page<T> {
        Page::window(items, self.limit, self.cursor)
    }
}

/// Which part of a list of the record.
#[derive(IntoParams, Clone, Default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Items in the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub(crate) limit: u32,
    /// From `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

impl FromQuery for Paging {
    fn read(query: &mut Query) -> Self {
        Self { limit: query.limit(), cursor: query.text("cursor") }
    }
}

/// A time span of the record: when an event was accepted, for executions that of theirs.
#[derive(IntoParams, Clone, Copy, Default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// Whose event was accepted at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
    /// Whose event was accepted before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<Timestamp>,
}

impl FromQuery for Span {
    fn read(query: &mut Query) -> Self {
        Self { since: query.time("since"), until: query.time("until") }
    }
}

/// Where in the life of the record a list looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Tier {
    /// What is young.
    #[default]
    Active,
    /// What was moved to the archive.
    Archived,
}

impl FromStr for Tier {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "active" => Ok(Self::Active),
            "archived" => Ok(Self::Archived),
            _ => Err(()),
        }
    }
}

/// Whether a list shows what was, or streams what comes, and from which tier.
#[derive(IntoParams, Clone, Copy, Default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Look {
    /// `active` (the default), or `archived` for what retention moved to the archive.
    #[param(value_type = Option<String>, example = "archived")]
    pub(crate) tier: Tier,
    /// Stream what comes (SSE) instead of listing what was.
    #[param(value_type = Option<bool>)]
    pub(crate) follow: bool,
}

impl FromQuery for Look {
    fn read(query: &mut Query) -> Self {
        let tier = query.parsed("tier", "active or archived").unwrap_or_default();
        let follow = query.flag("follow").unwrap_or(false);
        if follow && tier == Tier::Archived {
            query.problem(Problem::new("follow", "nothing new comes into the archive"));
        }
        Self { tier, follow }
    }
}

impl<A: FromQuery, B: FromQuery, C: FromQuery, D: FromQuery> FromQuery for (A, B, C, D) {
    fn read(query: &mut Query) -> Self {
        (A::read(query), B::read(query), C::read(query), D::read(query))
    }
}

impl<A: FromQuery, B: FromQuery, C: FromQuery> FromQuery for (A, B, C) {
    fn read(query: &mut Query) -> Self {
        (A::read(query), B::read(query), C::read(query))
    }
}

impl<A: FromQuery, B: FromQuery> FromQuery for (A, B) {
    fn read(query: &mut Query) -> Self {
        (A::read(query), B::read(query))
    }
}

impl FromQuery for () {
    fn read(_: &mut Query) {}
}

/// Extracts something from the query parameters of a request.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: FromQuery, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut query = Query::of(parts.uri.query().unwrap_or_default());
        let value = T::read(&mut query);
        query.finish()?;
        Ok(Self(value))
    }
}

/// The parameters of a request that nobody asked for yet.
pub(crate) struct Query {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Query {
    fn of(query: &str) -> Self {
        Self { given: pairs(query).collect(), known: Vec::new(), problems: Vec::new() }
    }

    /// A text; one that is given empty counts as not given.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut found = None;
        let mut count = 0;
        self.given.retain_mut(|(given, value)| {
            let is_it = given == name;
            if is_it {
                count += 1;
                found = Some(std::mem::take(value));
            }
            !is_it
        });
        if count > 1 {
            self.problems.push(Problem::new(name, "is given twice"));
        }
        found.filter(|text| !text.is_empty())
    }

    /// All texts of a parameter that may be given again and again.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let is_it = |pair: &mut (String, String)| pair.0 == name;
        self.given.extract_if(.., is_it).map(|(_, value)| value).collect()
    }

    /// A value that is read from text; `expected` says what it should look like.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let shown: String = text.chars().take(100).collect();
            self.problems.push(Problem::new(name, format!("expected {expected}, got {shown:?}")));
        }
        parsed
    }

    /// A time.
    pub(crate) fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        self.parsed(name, "a time like 2026-12-01T09:00:00Z")
    }

    /// A truth value.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.parsed(name, "true or false")
    }

    /// The number of items of a page.
    pub(crate) fn limit(&mut self) -> u32 {
        self.limit_or(LIMIT_DEFAULT)
    }

    fn limit_or(&mut self, default: u32) -> u32 {
        let limit = self.parsed("limit", "a number from 1 to 1000").unwrap_or(default);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let what = format!("expected a number from 1 to {LIMIT_MAX}, got {limit}");
            self.problems.push(Problem::new("limit", what));
        }
        limit
    }

    /// Something is wrong with a parameter that was taken.
    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn finish(mut self) -> Result<(), Refusal> {
        for (name, _) in &self.given {
            let shown: String = name.chars().take(64).collect();
            let hint = if self.known.is_empty() {
                "this route takes no parameters".to_owned()
            } else {
                did_you_mean(name, self.known.iter().copied())
            };
            self.problems.push(Problem::new(shown, "is not a parameter here").suggest(hint));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Refusal::invalid(self.problems)) }
    }
}

/// Names and values as pages and queries write them.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    String::from_utf8_lossy(&crate::service::percent_decoded(&spaced)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_checked_together() {
        let mut query = Query::of("type=a%20b+c&limit=0&since=noon&follow=maybe&tpye=x&x&type=");
        assert_eq!(query.text("type").as_deref(), None);
        query.limit();
        assert_eq!(query.time("since"), None);
        assert_eq!(query.flag("follow"), None);
        let problems: Vec<_> = query.problems.iter().map(|p| p.field.clone()).collect();
        assert_eq!(problems, ["type", "limit", "since", "follow"]);
        assert!(query.finish().is_err());
        let mut query = Query::of("q=%E2%82%AC+100%25&follow=true");
        assert_eq!(query.text("q").as_deref(), Some("€ 100%"));
        assert_eq!(query.flag("follow"), Some(true));
        assert!(query.finish().is_ok());
    }
}
