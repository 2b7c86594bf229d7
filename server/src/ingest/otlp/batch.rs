//! From a body to the items it brings: those that can be stored, and what is wrong with the others.

use std::fmt::Display;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use latchkey_domain::problem::{FieldError, Problem};
use latchkey_services::telemetry::MOST_ITEMS;
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

/// What the items of a scope have in common.
#[derive(Default)]
pub(super) struct Origin {
    pub(super) resource: Map<String, Value>,
    pub(super) scope: Scope,
    pub(super) scope_attributes: Map<String, Value>,
    /// The bytes of it all in the body.
    pub(super) weight: usize,
}

/// One span or log record, still packed.
pub(super) struct Item<'a> {
    pub(super) encoding: Encoding,
    pub(super) origin: &'a Origin,
    pub(super) path: &'a dyn Display,
    pub(super) part: Bytes,
}

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
    pub(super) rejected: Rejected,
}

impl<T: Send + 'static> Batch<T> {
    /// Reads a body. A full one takes tens of milliseconds, so not on a thread that checks keys.
    pub(super) async fn read(
        signal: &'static Signal,
        body: OtlpBody,
        entry: impl FnMut(Item<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let reading = tokio::task::spawn_blocking(move || Self::unfold(signal, body, entry));
        match reading.await {
            Ok(batch) => Ok(batch?),
            // The runtime cancels none that has begun, and a panic is told like any other.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn unfold(
        signal: &'static Signal,
        body: OtlpBody,
        mut entry: impl FnMut(Item<'_>) -> Result<T, Fault>,
    ) -> Result<Self, Problem> {
        let mut batch = Self { entries: Vec::new(), rejected: Rejected::of(signal) };
        each_item(signal, body, |item| {
            let path = item.path;
            match entry(item) {
                Ok(entry) => batch.entries.push(entry),
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
        self.resource = attributes(encoding, path, resource.attributes)?;
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
        self.scope_attributes = attributes(encoding, path, list)?;
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

    /// The answer to a call, in the call's own encoding. When everything was stored it is an empty message.
    pub(super) fn answer(self, encoding: Encoding) -> Response {
        let error_message = self.reasons.join(" ");
        let rejected = self.count.into();
        let partial = (self.count > 0).then_some(PartialSuccess { rejected, error_message });
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
