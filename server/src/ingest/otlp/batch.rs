//! From a body to the items it brings: those that can be stored, and what is wrong with the others.

use std::fmt::Display;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use latchkey_domain::problem::{FieldError, Problem};
use latchkey_services::telemetry::{MOST_ITEMS, Room, fit_meta, is_type_long};
use prost::Message;
use serde_json::{Map, Value, json};

use super::attributes::attributes;
use super::body::{Encoding, OtlpBody, elements};
use super::messages::{
    Export, ExportResponse, OfResource, OfScope, PartialSuccess, Resource, Scope,
};
use crate::http::problem::Refusal;

/// What traces and logs call the levels of their frame.
pub(super) struct Signal {
    pub(super) resources: &'static str,
    pub(super) scopes: &'static str,
    pub(super) items: &'static str,
    /// Where the answer counts what was not stored.
    pub(super) rejected: &'static str,
}

/// What the items of a scope have in common. It is read and bounded once, and borrowed by each:
/// what an item costs does not grow with it, but for what the item stores of it.
#[derive(Default)]
pub(super) struct Origin {
    pub(super) resource: Map<String, Value>,
    pub(super) scope: Scope,
    /// Whether the scope's name is too long for the `type` of a log.
    pub(super) is_scope_name_long: bool,
    pub(super) scope_attributes: Map<String, Value>,
    /// Whether something of it was cut off, and so is missing in `meta` of all of its items.
    is_cut: IsCut,
    /// The bytes of it all in the body.
    pub(super) weight: usize,
}

/// What of an origin was cut off.
#[derive(Default, Clone, Copy)]
struct IsCut {
    resource: bool,
    scope: bool,
}

/// One span or log record, still packed.
pub(super) struct Item<'a> {
    pub(super) encoding: Encoding,
    pub(super) origin: &'a Origin,
    pub(super) path: &'a dyn Display,
    pub(super) part: Bytes,
}

const TOO_MUCH: &str = "With the resource and scope of each, these items are over 32 MiB.";

/// Why an item is not stored.
pub(super) enum Fault {
    /// The body can't be read: nothing of it is stored.
    Body(Problem),
    /// This one does not fit; the others are stored.
    Item(String),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Body(problem)
    }
}

impl From<Vec<FieldError>> for Fault {
    fn from(errors: Vec<FieldError>) -> Self {
        let errors: Vec<_> =
            errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        Self::Item(errors.join(" "))
    }
}

/// What a body brought.
pub(super) struct Batch<T> {
    pub(super) entries: Vec<T>,
    /// How many of them had an origin of which something was cut off.
    pub(super) cut: usize,
    pub(super) rejected: Rejected,
}

impl<T> Batch<T> {
    /// Reads a body. A full one takes tens of milliseconds, so not on a thread that checks keys.
    pub(super) fn read(
        signal: &'static Signal,
        body: OtlpBody,
        entry: fn(Item<'_>) -> Result<T, Fault>,
    ) -> Result<Self, Refusal> {
        let mut room = Room::default();
        let mut batch = Self { entries: Vec::new(), cut: 0, rejected: Rejected::of(signal) };
        each_item(signal, body, |item| {
            let path = item.path;
            let fits = room.take(item.origin.weight + item.part.len());
            let is_cut = item.origin.is_cut.resource || item.origin.is_cut.scope;
            let entry = if fits { entry(item) } else { Err(Fault::Item(TOO_MUCH.to_owned())) };
            match entry {
                Ok(entry) => {
                    batch.entries.push(entry);
                    batch.cut += usize::from(is_cut);
                }
                Err(Fault::Item(reason)) => batch.rejected.add(path, &reason),
                Err(Fault::Body(problem)) => return Err(problem),
            }
            Ok(())
        })?;
        Ok(batch)
    }
}

fn each_item(
    signal: &Signal,
    body: OtlpBody,
    mut take: impl FnMut(Item<'_>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let encoding = body.encoding;
    let mut count = 0;
    let export: Export = encoding.read(&"body", body.unpack()?)?;
    for (index, part) in elements(&signal.resources, export.resources)? {
        let path = format!("{}[{index}]", signal.resources);
        let group: OfResource = encoding.read(&path, part)?;
        let mut origin = Origin::default();
        if let Some(part) = group.resource {
            origin.add_resource(encoding, &format_args!("{path}.resource"), part)?;
        }
        let resource_weight = origin.weight;
        for (index, part) in elements(&format_args!("{path}.{}", signal.scopes), group.scopes)? {
            let path = format!("{path}.{}[{index}]", signal.scopes);
            let group: OfScope = encoding.read(&path, part)?;
            origin.weight = resource_weight;
            origin.set_scope(encoding, &format_args!("{path}.scope"), group.scope)?;
            count += group.items.len();
            if count > MOST_ITEMS {
                return Err(Problem::invalid(signal.items, "Send at most 10,000 items."));
            }
            for (index, part) in group.items.into_iter().enumerate() {
                let path = &format_args!("{path}.{}[{index}]", signal.items);
                take(Item { encoding, origin: &origin, path, part })?;
            }
        }
    }
    Ok(())
}

impl Origin {
    fn add_resource(
        &mut self,
        encoding: Encoding,
        path: &dyn Display,
        part: Bytes,
    ) -> Result<(), Problem> {
        self.weight += part.len();
        let resource: Resource = encoding.read(path, part)?;
        (self.resource, self.is_cut.resource) =
            fit_meta(attributes(encoding, path, resource.attributes)?);
        Ok(())
    }

    fn set_scope(
        &mut self,
        encoding: Encoding,
        path: &dyn Display,
        part: Option<Bytes>,
    ) -> Result<(), Problem> {
        self.weight += part.as_ref().map_or(0, Bytes::len);
        self.scope = match part {
            Some(part) => encoding.read(path, part)?,
            None => Scope::default(),
        };
        let list = std::mem::take(&mut self.scope.attributes);
        (self.scope_attributes, self.is_cut.scope) = fit_meta(attributes(encoding, path, list)?);
        self.is_scope_name_long = is_type_long(&self.scope.name);
        Ok(())
    }
}

/// The items that were not stored, for the answer.
pub(super) struct Rejected {
    signal: &'static Signal,
    count: u32,
    reasons: Vec<String>,
}

impl Rejected {
    const fn of(signal: &'static Signal) -> Self {
        Self { signal, count: 0, reasons: Vec::new() }
    }

    fn add(&mut self, path: &dyn Display, reason: &str) {
        /// Enough to see a pattern; a batch may have ten thousand.
        const TOLD: usize = 5;
        self.count += 1;
        if self.reasons.len() < TOLD {
            self.reasons.push(format!("{path}: {reason}"));
        }
    }

    /// The answer to a call, in the call's own encoding. When everything was stored as it came it
    /// is an empty message; a message without rejected items is a warning, as OTLP has it.
    pub(super) fn answer(mut self, encoding: Encoding, cut: usize) -> Response {
        if cut > 0 {
            let items = self.signal.items;
            self.reasons.push(format!(
                "{cut} of {items}: The first 64 KiB are stored, the rest was cut off."
            ));
        }
        let error_message = self.reasons.join(" ");
        let rejected = self.count.into();
        let partial =
            (!error_message.is_empty()).then_some(PartialSuccess { rejected, error_message });
        let body = match (encoding, partial) {
            (Encoding::Protobuf, partial_success) => {
                ExportResponse { partial_success }.encode_to_vec()
            }
            (Encoding::Json, None) => b"{}".to_vec(),
            (Encoding::Json, Some(partial)) => json!({"partialSuccess": {
                // As protobuf's JSON writes 64-bit numbers.
                self.signal.rejected: partial.rejected.to_string(),
                "errorMessage": partial.error_message,
            }})
            .to_string()
            .into_bytes(),
        };
        ([(CONTENT_TYPE, encoding.media_type())], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What items were handed, of their own and of what they share. One test alone counts here.
    static HANDED: AtomicUsize = AtomicUsize::new(0);

    const LOGS: Signal = Signal {
        resources: "resourceLogs",
        scopes: "scopeLogs",
        items: "logRecords",
        rejected: "rejectedLogRecords",
    };

    #[expect(clippy::unnecessary_wraps, reason = "as every reader of items")]
    fn count(Item { origin, part, .. }: Item<'_>) -> Result<(), Fault> {
        HANDED.fetch_add(origin.weight + part.len(), Ordering::Relaxed);
        drop(part);
        Ok(())
    }

    #[test]
    fn work_on_shared_parts_is_bounded_when_items_are_many() {
        const NAME: usize = 3_900_000;
        let records = vec!["{}"; 4_000].join(",");
        let scope = format!(r#"{{"name":"{}"}}"#, "x".repeat(NAME));
        let body = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"scope":{scope},"logRecords":[{records}]}}]}}]}}"#
        );
        let Ok(batch) = Batch::read(&LOGS, OtlpBody::json(body), count) else {
            panic!("it can be read")
        };
        assert_eq!(batch.entries.len() + batch.rejected.count as usize, 4_000);
        let handed = HANDED.load(Ordering::Relaxed);
        assert!(handed <= 32 * 1024 * 1024, "{handed} bytes");
        assert_eq!(batch.entries.len(), 32 * 1024 * 1024 / NAME);
    }
}
