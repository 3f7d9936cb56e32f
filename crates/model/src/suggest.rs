//! "Did you mean": the nearest valid name for a mistyped one.

/// The known name nearest to `typed`, if one is near enough to be what was meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    // Two slips in a short word is another word; a third of the letters may differ in a long one.
    let slips_max = (typed.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= slips_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A sentence for a [`crate::Problem`]: the nearest name, or else all of them.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(typed, known.clone()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            format!("one of: {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["interval", "timezone", "cron"];
        assert_eq!(nearest("inter", known), None);
        assert_eq!(nearest("intervall", known), Some("interval"));
        assert_eq!(nearest("corn", known), Some("cron"));
        assert_eq!(nearest("TimeZone", known), Some("timezone"));
        assert_eq!(nearest("x", known), None);
    }
}
