//! A filter on its own: picks events from the log, for replay and redrive.

use evoke_model::{Event, Problem};

use crate::expression::{Expression, Scope};

/// A condition over `event`, compiled.
#[derive(Debug)]
pub struct Filter(Expression);

/// Compiles a condition, as in a trigger's `filter`.
///
/// # Errors
/// What is wrong with it; the problem's field is empty.
pub fn filter(text: &str) -> Result<Filter, Problem> {
    Expression::compile(text).map(Filter)
}

impl Filter {
    /// Whether the event fits.
    ///
    /// # Errors
    /// Why there is no answer: a field is missing, types do not fit, it is no boolean.
    pub fn takes(&self, event: &Event) -> Result<bool, String> {
        self.0.evaluate_bool(&Scope::new(event)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn a_filter_picks_events() {
        let mut event = event(7, "order.created");
        let large = filter("event.type.startsWith('order.') && event.data.total > 100").unwrap();
        assert_eq!(large.takes(&event), Ok(true));
        let repeated = filter("has(event.replayof)").unwrap();
        assert_eq!(repeated.takes(&event), Ok(false));
        event.replay_of = Some(evoke_model::EventId::from_u64(3));
        assert_eq!(repeated.takes(&event), Ok(true));
        let original = event.replay_of.unwrap();
        let named = filter(&format!("event.replayof == '{original}'")).unwrap();
        assert_eq!(named.takes(&event), Ok(true));
        assert_eq!(
            filter("event.data.sum > 1").unwrap().takes(&event),
            Err("No such key: sum".to_owned())
        );
        assert!(filter("data.total > 1").is_err());
    }
}
