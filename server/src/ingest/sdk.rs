//! The format of Upblit's SDKs: a list of items. An item that cannot be stored never rejects the
//! others, because the SDKs retry a rejected batch forever.

use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use latchkey_domain::api::{LogEntry, TraceEntry};
use latchkey_domain::json::refusal;
use latchkey_domain::problem::{FieldError, Problem};
use latchkey_services::telemetry::{Incoming, MAX_ITEMS, check_log, check_trace};
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::coding::Coding;
use crate::http::json;
use crate::http::problem::Refusal;

/// Maximum body size, compressed and decompressed.
pub(crate) const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// A body as it was sent. It is decompressed and parsed once it has a permit.
pub(crate) struct SdkBody {
    coding: Coding,
    sent: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for SdkBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        json::require_json(request.headers())?;
        let coding = Coding::of(request.headers())?;
        Ok(Self { coding, sent: json::read(request, state).await? })
    }
}

impl SdkBody {
    /// A body without a request.
    pub(crate) fn of(sent: impl Into<Bytes>) -> Self {
        Self { coding: Coding::Identity, sent: sent.into() }
    }

    /// How long it is as it was sent.
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// The traces that it brings.
    ///
    /// # Errors
    /// It is no JSON, or has no list.
    pub(crate) fn traces(self) -> Result<Incoming<TraceEntry>, Problem> {
        self.items("traces", check_trace)
    }

    /// The logs that it brings.
    ///
    /// # Errors
    /// It is no JSON, or has no list.
    pub(crate) fn logs(self) -> Result<Incoming<LogEntry>, Problem> {
        self.items("logs", check_log)
    }

    fn items<T: DeserializeOwned>(
        self,
        list: &'static str,
        check: fn(&T) -> Vec<FieldError>,
    ) -> Result<Incoming<T>, Problem> {
        let body = self.coding.unpack(self.sent, LARGEST_BODY)?;
        let Items { first, more } = list_of(&body, list)?;
        let mut incoming = Incoming::default();
        let count = first.len();
        for (index, item) in first.into_iter().enumerate() {
            match read(item, check) {
                Ok(entry) => {
                    incoming.accept(index, entry);
                }
                Err(fault) => incoming.reject(index, || reason::<T>(item, fault)),
            }
        }
        incoming.reject_rest(count, more);
        Ok(incoming)
    }
}

/// Why an item can't be stored.
enum ItemFault {
    Unreadable,
    OverLimits(Vec<FieldError>),
}

fn read<T: DeserializeOwned>(
    item: &RawValue,
    check: fn(&T) -> Vec<FieldError>,
) -> Result<T, ItemFault> {
    // serde would also take a list of the fields' values in their order.
    let is_object = item.get().starts_with('{');
    let read = is_object.then(|| serde_json::from_str(item.get()).ok()).flatten();
    let entry: T = read.ok_or(ItemFault::Unreadable)?;
    let errors = check(&entry);
    if errors.is_empty() { Ok(entry) } else { Err(ItemFault::OverLimits(errors)) }
}

/// The reason as text. The unreadable field is located only here, for the few items that are
/// reported.
fn reason<T: DeserializeOwned>(item: &RawValue, fault: ItemFault) -> String {
    let errors = match fault {
        ItemFault::OverLimits(errors) => errors,
        ItemFault::Unreadable if !item.get().starts_with('{') => {
            return "Expected an object.".to_owned();
        }
        ItemFault::Unreadable => {
            let mut deserializer = serde_json::Deserializer::from_str(item.get());
            match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
                Ok(_) => Vec::new(),
                Err(error) => refusal(&error.path().to_string(), error.inner()).errors,
            }
        }
    };
    if errors.is_empty() {
        return "The item is not valid JSON.".to_owned();
    }
    let errors = errors.iter().map(|error| format!("{}: {}", error.field, error.message));
    errors.collect::<Vec<_>>().join(" ")
}

/// A list whose items are still JSON: the first 10,000, and how many more there are.
struct Items<'a> {
    first: Vec<&'a RawValue>,
    more: usize,
}

/// The list of that name in a body.
fn list_of<'a>(body: &'a [u8], name: &'static str) -> Result<Items<'a>, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let items =
        Body(name).visit(&mut deserializer).and_then(|items| deserializer.end().map(|()| items));
    items.map_err(|error| {
        let message = error.to_string();
        // Our own messages, and those of serde that name a field, include the field.
        let is_of_list =
            message.starts_with("invalid type") && message.contains("expected a sequence");
        refusal(if is_of_list { name } else { "." }, &error)
    })
}

/// An object with a list of that name. Other fields are ignored.
struct Body(&'static str);

impl Body {
    fn visit<'de, D: Deserializer<'de>>(self, from: D) -> Result<Items<'de>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items<'de>, A::Error> {
        let mut items = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                items = Some(map.next_value::<Items<'de>>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        items.ok_or_else(|| de::Error::missing_field(self.0))
    }
}

impl<'de> de::Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;

        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'de>, A::Error> {
                let mut items = Items { first: Vec::new(), more: 0 };
                while items.first.len() < MAX_ITEMS {
                    let Some(item) = list.next_element()? else { return Ok(items) };
                    items.first.push(item);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    items.more += 1;
                }
                Ok(items)
            }
        }

        from.deserialize_seq(ItemsVisitor)
    }
}
