//! Cursors of pages of documents: where the last one stands, which may since have been changed or
//! removed. They carry all that is needed, so that they hold as long as the collection does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evoke_document::{FieldValue, Number, Place, Query};
use evoke_model::Timestamp;
use evoke_ports::store::BadCursor;
use serde_json::{Value, json};

/// A page holds no more documents, whatever is asked for.
const LIMIT_MAX: u32 = 1_000;

/// How many documents a page of this query holds at most.
pub(crate) fn limit(query: &Query) -> usize {
    query.limit.clamp(1, LIMIT_MAX) as usize
}

/// Bytes of documents or events after which a page ends, however many it may hold: a page is kept
/// in memory whole, more than once on its way to a caller. More than one document has.
pub(crate) const PAGE_BYTES_MAX: usize = 8 << 20;

/// How many of the documents that were found, in their order and by their bytes, are a page.
pub(crate) fn page_len(query: &Query, bytes: impl Iterator<Item = usize>) -> usize {
    let sums = bytes.scan(0, |sum: &mut usize, bytes| {
        *sum += bytes;
        Some(*sum)
    });
    sums.take(limit(query)).take_while(|sum| *sum <= PAGE_BYTES_MAX).count()
}

/// The cursor of a place in the order of a query.
pub(crate) fn encode(collection: &str, query: &Query, place: &Place<'_>) -> String {
    let values: Vec<Value> = place.0.iter().map(to_json).collect();
    let parts = json!([fingerprint(collection, query), values]);
    URL_SAFE_NO_PAD.encode(parts.to_string())
}

/// The place a query is to go on from, if it has a cursor.
pub(crate) fn decode(collection: &str, query: &Query) -> Result<Option<Place<'static>>, BadCursor> {
    let Some(text) = &query.cursor else {
        return Ok(None);
    };
    let place = read(text, fingerprint(collection, query));
    let place = place.filter(|place| {
        let whole = place.0.len() == query.order.len() + 1;
        whole && matches!(place.0.last(), Some(FieldValue::Text(_)))
    });
    place.map(Some).ok_or_else(|| BadCursor(text.clone()))
}

fn read(text: &str, expected: u32) -> Option<Place<'static>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (fingerprint, values): (u32, Vec<Value>) = serde_json::from_slice(&bytes).ok()?;
    if fingerprint != expected {
        return None;
    }
    values.iter().map(from_json).collect::<Option<_>>().map(Place)
}

/// Tells lists apart: a cursor goes with its collection and its order. FNV-1a, because it must be
/// the same in every version.
fn fingerprint(collection: &str, query: &Query) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    };
    add(collection);
    for sort in &query.order {
        add(if sort.descending { "-" } else { "+" });
        add(sort.field.as_str());
    }
    hash
}

/// What JSON has no type of its own for is a list of one: a text for [`FieldValue::Whole`], a
/// number for [`FieldValue::Time`].
fn to_json(value: &FieldValue<'_>) -> Value {
    match value {
        FieldValue::Null => Value::Null,
        FieldValue::Time(time) => json!([time.as_micros()]),
        FieldValue::Number(Number::Int(number)) => json!(number),
        FieldValue::Number(Number::Float(number)) => json!(number),
        FieldValue::Text(text) => json!(text),
        FieldValue::Bool(yes) => json!(yes),
        FieldValue::Whole(text) => json!([text]),
    }
}

fn from_json(value: &Value) -> Option<FieldValue<'static>> {
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::Number(micros)] => {
                micros.as_i64().map(|micros| FieldValue::Time(Timestamp::from_micros(micros)))
            }
            [Value::String(text)] => Some(FieldValue::Whole(text.clone().into())),
            _ => None,
        },
        Value::Object(_) => None,
        scalar => Some(FieldValue::of(scalar).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use evoke_document::{FieldPath, Sort};

    use super::*;

    fn ordered(fields: &[&str]) -> Query {
        let sort = |field: &&str| Sort { field: field.parse().unwrap(), descending: false };
        Query { order: fields.iter().map(sort).collect(), ..Query::default() }
    }

    #[test]
    fn a_place_survives_its_cursor() {
        let values = [
            FieldValue::Null,
            FieldValue::Time(Timestamp::from_micros(-7)),
            FieldValue::Number(Number::Int(i64::MAX)),
            FieldValue::Number(Number::Float(0.1)),
            FieldValue::Number(Number::Float(5.0)),
            FieldValue::Text("ü \" \0".into()),
            FieldValue::Bool(true),
            FieldValue::Whole("[1]".into()),
        ];
        for value in values {
            let place = Place(vec![value, FieldValue::Text("id".into())]);
            let mut query = ordered(&["a"]);
            query.cursor = Some(encode("c", &query, &place));
            assert_eq!(decode("c", &query), Ok(Some(place)));
        }
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let place = Place(vec![FieldValue::Null, FieldValue::Text("id".into())]);
        let cursor = encode("c", &ordered(&["a"]), &place);
        let with = |query: Query, cursor: &str| Query { cursor: Some(cursor.to_owned()), ..query };
        assert!(decode("c", &with(ordered(&["a"]), &cursor)).is_ok());
        assert!(decode("d", &with(ordered(&["a"]), &cursor)).is_err());
        assert!(decode("c", &with(ordered(&["b"]), &cursor)).is_err());
        assert!(decode("c", &with(ordered(&["a", "b"]), &cursor)).is_err());
        let descending = Sort { field: FieldPath::parse("a").unwrap(), descending: true };
        let query = Query { order: vec![descending], ..Query::default() };
        assert!(decode("c", &with(query, &cursor)).is_err());
        for bad in ["", "x", "!!", "W10", &cursor[1..], &format!("{cursor}A")] {
            assert!(decode("c", &with(ordered(&["a"]), bad)).is_err(), "{bad}");
        }
        // Right as a list, but not as a place.
        let short = encode("c", &ordered(&["a"]), &Place(vec![FieldValue::Text("id".into())]));
        assert!(decode("c", &with(ordered(&["a"]), &short)).is_err());
    }
}
