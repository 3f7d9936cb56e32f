//! The event as CEL sees it: fields are looked up where they are, the payload is parsed once and
//! only when an expression asks for it.

use std::collections::HashMap;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, MAP_TYPE,
    Type,
};
use cel::common::value::{CowVal, Val};
use evoke_model::event::Attribute;
use evoke_model::{Data, Event};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// The variable `event`.
#[derive(Debug)]
pub(crate) struct EventValue<'e> {
    event: &'e Event,
    data: OnceLock<Payload<'e>>,
}

/// The payload and what bounds the cost of walking it.
#[derive(Debug)]
pub(crate) struct Payload<'e> {
    value: Box<dyn Val + 'e>,
    pub(crate) size: Size,
}

/// What bounds the cost of walking a payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Entries of the largest list or object.
    pub(crate) entries: usize,
    /// Bytes of the longest text.
    pub(crate) text: usize,
}

impl<'e> EventValue<'e> {
    pub(crate) fn new(event: &'e Event) -> Self {
        Self { event, data: OnceLock::new() }
    }

    pub(crate) fn payload(&self) -> &Payload<'e> {
        self.data.get_or_init(|| Payload::of(&self.event.data))
    }

    /// The value of a field, `None` where the event has no such field.
    fn field<'b, 'v>(&'b self, name: &str) -> Option<CowVal<'b, 'v>>
    where
        'e: 'v,
    {
        let event: &'v Event = self.event;
        let lineage = event.lineage.as_deref();
        match name {
            "data" => {
                let value: &'b (dyn Val + 'e) = self.payload().value.as_ref();
                Some(CowVal::Borrowed(value))
            }
            "id" => Some(match &event.sender_id {
                Some(id) => text(id),
                None => CowVal::owned(CelString::from(event.id.to_string())),
            }),
            "source" => Some(text(&event.source)),
            "type" => Some(text(&event.kind)),
            "specversion" => Some(text("1.0")),
            "subject" => event.subject.as_deref().map(text),
            "time" => Some(CowVal::owned(CelString::from(event.time.to_string()))),
            "datacontenttype" => {
                Some(text(event.content_type.as_deref().unwrap_or("application/json")))
            }
            "dataschema" => event.data_schema.as_deref().map(text),
            "traceparent" => event.traceparent.as_deref().map(text),
            "orderingkey" => event.ordering_key.as_deref().map(text),
            "replayof" => {
                let original = self.event.replay_of?;
                Some(CowVal::owned(CelString::from(original.to_string())))
            }
            "depth" => Some(CowVal::owned(CelInt::from(i64::from(event.depth())))),
            "rootid" => Some(CowVal::owned(CelString::from(event.root().to_string()))),
            "causationid" => {
                let cause = lineage?.cause?;
                Some(CowVal::owned(CelString::from(cause.to_string())))
            }
            name => match event.extensions.as_ref()?.get(name)? {
                Attribute::Bool(flag) => Some(CowVal::owned(CelBool::from(*flag))),
                Attribute::Int(number) => Some(CowVal::owned(CelInt::from(i64::from(*number)))),
                Attribute::Text(value) => Some(text(value)),
            },
        }
    }
}

fn text<'b, 'v>(text: &'v str) -> CowVal<'b, 'v> {
    CowVal::owned(CelString::from(text))
}

impl Val for EventValue<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self::new(self.event))
    }
}

impl Indexer for EventValue<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(name) = index.downcast_ref::<CelString>() else {
            return Err(ExecutionError::UnexpectedType {
                got: index.get_type().name().to_owned(),
                want: "string".to_owned(),
            });
        };
        self.field(name.inner()).ok_or_else(|| ExecutionError::no_such_key(name.inner()))
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Container for EventValue<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(value.downcast_ref::<CelString>().is_some_and(|name| self.field(name.inner()).is_some()))
    }
}

impl<'e> Payload<'e> {
    fn of(data: &'e Data) -> Self {
        let mut size = Size::default();
        let value = match data {
            Data::None | Data::Binary(_) => Box::new(CelNull) as Box<dyn Val>,
            Data::Json(json) => parse(json, &mut size),
            Data::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    size.text = text.len();
                    Box::new(CelString::from(text)) as Box<dyn Val>
                }
                Err(_) => Box::new(CelNull) as Box<dyn Val>,
            },
        };
        Self { value, size }
    }
}

/// Text that intake has accepted as JSON; what a parser refuses all the same (it nests deeper than
/// 128) is seen as `null`.
fn parse<'e>(json: &'e [u8], size: &mut Size) -> Box<dyn Val + 'e> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    Json { size }.deserialize(&mut reader).unwrap_or_else(|_| Box::new(CelNull))
}

/// Builds CEL values right from the text; texts without escapes are borrowed.
struct Json<'s> {
    size: &'s mut Size,
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Box<dyn Val + 'de>;
    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Box<dyn Val + 'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Box::new(CelBool::from(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Box::new(CelInt::from(number)))
    }

    /// Whole numbers are `int` wherever they fit, so that `event.data.n + 1` works.
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(match i64::try_from(number) {
            Ok(number) => Box::new(CelInt::from(number)),
            Err(_) => Box::new(CelUInt::from(number)),
        })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Box::new(CelDouble::from(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        self.size.text = self.size.text.max(text.len());
        Ok(Box::new(CelString::from(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        self.size.text = self.size.text.max(text.len());
        Ok(Box::new(CelString::from(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list: Vec<Box<dyn Val + 'de>> = Vec::new();
        while let Some(item) = items.next_element_seed(Json { size: self.size })? {
            list.push(item);
        }
        self.size.entries = self.size.entries.max(list.len());
        Ok(Box::new(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map: HashMap<CelMapKey<'de>, Box<dyn Val + 'de>> = HashMap::new();
        while let Some(key) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
            let value = entries.next_value_seed(Json { size: self.size })?;
            map.insert(CelMapKey::from(key.into_owned()), value);
        }
        self.size.entries = self.size.entries.max(map.len());
        Ok(Box::new(CelMap::from(map)))
    }
}
