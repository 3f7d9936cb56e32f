use evoke_model::Problem;
use evoke_ports::Fields;
use serde_json::Value;

/// The name of the function. That there is one is not asked for: a trigger may come before its
/// function.
pub(super) fn name(config: &Value) -> Result<Box<str>, Vec<Problem>> {
    let mut fields = Fields::new(config, &["name"]);
    let name = fields.required_text("name").unwrap_or_default();
    fields.finish(name.into())
}
