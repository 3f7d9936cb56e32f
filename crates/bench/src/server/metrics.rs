//! Reading the text that Prometheus reads.

/// The samples of one answer of `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: String,
    value: f64,
}

impl Samples {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(sample).collect())
    }

    /// The sum over all samples of this name that carry all of these labels, each as
    /// `name="value"`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.0
            .iter()
            .filter(|sample| sample.name == name)
            .filter(|sample| labels.iter().all(|label| sample.labels.contains(label)))
            .map(|sample| sample.value)
            .sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => rest.split_once('}')?,
        None => ("", rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels: labels.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_select_what_is_summed() {
        let samples = Samples::parse(
            "# HELP evoke_executions done\n\
             evoke_executions_total{trigger_type=\"event\",status=\"success\"} 40\n\
             evoke_executions_total{trigger_type=\"http\",status=\"success\"} 2\n\
             evoke_executions_total{trigger_type=\"event\",status=\"failed\"} 1\n\
             evoke_executions_pending 7\n# EOF\n",
        );
        let total = "evoke_executions_total";
        assert_eq!(samples.sum(total, &["status=\"success\""]), 42.0);
        assert_eq!(samples.sum(total, &["status=\"success\"", "trigger_type=\"event\""]), 40.0);
        assert_eq!(samples.sum("evoke_executions_pending", &[]), 7.0);
        assert_eq!(samples.sum("nothing", &[]), 0.0);
    }
}
