//! What changes in a document.

use serde_json::{Map, Value};

/// Merges a patch into an object as RFC 7396 says: `null` removes, objects are merged, all else
/// takes the place of what is there.
pub fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(&name);
            }
            Value::Object(patch) => match target.get_mut(&name) {
                Some(Value::Object(target)) => merge(target, patch),
                _ => {
                    let mut fresh = Map::new();
                    merge(&mut fresh, patch);
                    target.insert(name, Value::Object(fresh));
                }
            },
            other => {
                target.insert(name, other);
            }
        }
    }
}

/// The names of the fields that are not the same in both, sorted; `None` has no fields.
pub fn changed_fields<'a>(
    old: Option<&'a Map<String, Value>>,
    new: Option<&'a Map<String, Value>>,
) -> Vec<&'a str> {
    let get = |fields: Option<&'a Map<String, Value>>, name: &str| fields?.get(name);
    let names = [old, new].into_iter().flatten().flat_map(Map::keys);
    let changed = names.filter(|name| get(old, name) != get(new, name));
    let mut changed: Vec<&str> = changed.map(String::as_str).collect();
    changed.sort_unstable();
    changed.dedup();
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other} is no object"),
        }
    }

    /// The examples of the appendix of RFC 7396 whose target and patch are objects.
    #[test]
    fn a_patch_is_merged_as_the_rfc_says() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": 1}), json!({"a": {"b": [null]}}), json!({"a": {"b": [null]}})),
        ] {
            let mut merged = object(target.clone());
            merge(&mut merged, object(patch.clone()));
            assert_eq!(Value::from(merged), expected, "{target} and {patch}");
        }
    }

    #[test]
    fn changed_fields_are_named_in_order() {
        let old = object(json!({"same": 1, "gone": null, "other": [1], "a": {"b": 1}}));
        let new = object(json!({"same": 1, "new": null, "other": [2], "a": {"b": 2}}));
        assert_eq!(changed_fields(Some(&old), Some(&new)), ["a", "gone", "new", "other"]);
        assert_eq!(changed_fields(None, Some(&new)), ["a", "new", "other", "same"]);
        assert_eq!(changed_fields(Some(&old), None), ["a", "gone", "other", "same"]);
        assert_eq!(changed_fields(Some(&old), Some(&old)), [""; 0]);
        assert_eq!(changed_fields(None, None), [""; 0]);
    }
}
