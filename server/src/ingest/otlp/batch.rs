//! From a body to the items it brings: those that can be stored, and what is wrong with the others.

use std::fmt::Display;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use latchkey_domain::problem::{FieldError, Problem};
use latchkey_services::telemetry::{BytesLeft, Incoming, MAX_ITEMS, MAX_NAME_LENGTH, fit_meta};
use prost::Message;
use serde_json::json;

use super::attributes::attributes;
use super::body::{Encoding, OtlpBody};
use super::messages::{
    Export, ExportResponse, OfResource, OfScope, PartialSuccess, Resource, Scope,
};
use super::meta::{Meta, beginning, put};
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
pub(super) struct ScopeContext {
    pub(super) resource: Meta,
    pub(super) scope: Scope,
    /// The beginning of the scope's name, if it is too long for the `type` of a log.
    kind: Option<String>,
    pub(super) scope_attributes: Meta,
    /// Whether something of it was cut off, and so is missing in `meta` of all of its items.
    is_cut: ScopeCuts,
    /// The bytes of it all in the body.
    pub(super) weight: usize,
}

/// Puts what all items of a scope have in common.
pub(super) fn insert_scope(meta: &mut Meta, origin: &ScopeContext) {
    put(meta, "resource", origin.resource.clone());
    let mut scope = Meta::new();
    put(&mut scope, "name", origin.scope.name.clone());
    put(&mut scope, "version", origin.scope.version.clone());
    put(&mut scope, "attributes", origin.scope_attributes.clone());
    put(meta, "scope", scope);
}

/// What of an origin was cut off.
#[derive(Default, Clone, Copy)]
struct ScopeCuts {
    resource: bool,
    scope: bool,
}

/// One span or log record, still packed.
pub(super) struct Item<'a> {
    pub(super) encoding: Encoding,
    pub(super) origin: &'a ScopeContext,
    pub(super) path: &'a dyn Display,
    pub(super) part: Bytes,
}

const TOO_MUCH: &str = "With their resources and scopes, the items exceed 32 MiB.";

/// Why an item is not stored; the others are.
pub(super) struct Fault(pub(super) String);

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(problem.detail)
    }
}

impl From<Vec<FieldError>> for Fault {
    fn from(errors: Vec<FieldError>) -> Self {
        let errors: Vec<_> =
            errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        Self(errors.join(" "))
    }
}

/// What a body brought.
pub(super) struct Batch<T> {
    pub(super) entries: Incoming<T>,
    /// Number of items whose origin was cut.
    pub(super) cut: usize,
    pub(super) rejected: Rejected,
}

impl<T> Batch<T> {
    /// Reads a body. A full one takes tens of milliseconds, so not on a thread that checks keys.
    ///
    /// # Errors
    /// The body can't be read down to its items.
    pub(super) fn read(
        signal: &'static Signal,
        body: OtlpBody,
        entry: fn(Item<'_>) -> Result<T, Fault>,
    ) -> Result<Self, Refusal> {
        let mut reader = Reader {
            bytes_left: BytesLeft::default(),
            entry,
            batch: Self { entries: Incoming::default(), cut: 0, rejected: Rejected::of(signal) },
        };
        reader.read(signal, body)?;
        Ok(reader.batch)
    }

    /// The items that can be stored, and what the answer says of the others.
    pub(super) fn into_parts(self) -> (Incoming<T>, usize, Rejected) {
        (self.entries, self.cut, self.rejected)
    }
}

struct Reader<T> {
    bytes_left: BytesLeft,
    entry: fn(Item<'_>) -> Result<T, Fault>,
    batch: Batch<T>,
}

impl<T> Reader<T> {
    fn read(&mut self, signal: &'static Signal, body: OtlpBody) -> Result<(), Problem> {
        let encoding = body.encoding;
        let (export, more): (Export, _) =
            encoding.read_list(&"body", body.unpack()?, signal.resources)?;
        self.batch.reject_groups(&signal.resources, more);
        for (index, part) in export.resources.into_iter().enumerate() {
            let path = format!("{}[{index}]", signal.resources);
            let (group, more): (OfResource, _) = encoding.read_list(&path, part, signal.scopes)?;
            self.batch.reject_groups(&format_args!("{path}.{}", signal.scopes), more);
            let mut origin = ScopeContext::default();
            if let Some(part) = group.resource {
                let path = &format_args!("{path}.resource");
                let read = origin.add_resource(encoding, path, part);
                self.batch.rejected.note(path, read);
            }
            let resource_weight = origin.weight;
            for (index, part) in group.scopes.into_iter().enumerate() {
                let path = format!("{path}.{}[{index}]", signal.scopes);
                let (group, more): (OfScope, _) = encoding.read_list(&path, part, signal.items)?;
                origin.weight = resource_weight;
                let of_scope = &format_args!("{path}.scope");
                let read = origin.set_scope(encoding, of_scope, group.scope);
                self.batch.rejected.note(of_scope, read);
                for (index, part) in group.items.into_iter().enumerate() {
                    let path = &format_args!("{path}.{}[{index}]", signal.items);
                    self.take(Item { encoding, origin: &origin, path, part });
                }
                self.batch.rejected.beyond += more;
            }
        }
        Ok(())
    }

    fn take(&mut self, item: Item<'_>) {
        let batch = &mut self.batch;
        if batch.entries.len() >= MAX_ITEMS {
            batch.rejected.beyond += 1;
            return;
        }
        let path = item.path;
        let is_cut = item.origin.is_cut.resource || item.origin.is_cut.scope;
        let fits = self.bytes_left.take(item.origin.weight + item.part.len());
        let entry = if fits { (self.entry)(item) } else { Err(Fault(TOO_MUCH.to_owned())) };
        match entry {
            Ok(entry) => {
                let index = batch.entries.len();
                batch.entries.accept(index, entry);
                batch.cut += usize::from(is_cut);
            }
            Err(Fault(reason)) => batch.rejected.add(path, &reason),
        }
    }
}

impl<T> Batch<T> {
    /// A group that is not read counts as one item, because its size is unknown.
    fn reject_groups(&mut self, path: &dyn Display, groups: usize) {
        if groups > 0 {
            let reason = format!("Only the first {MAX_ITEMS} are read. {groups} were ignored.");
            self.rejected.add(path, &reason);
            self.rejected.count += groups - 1;
        }
    }
}

impl ScopeContext {
    /// What of it can't be read is missing; the items are stored all the same.
    fn add_resource(
        &mut self,
        encoding: Encoding,
        path: &dyn Display,
        part: Bytes,
    ) -> Result<(), Problem> {
        self.weight += part.len();
        let resource: Resource = encoding.read(path, part)?;
        (self.resource, self.is_cut.resource) =
            fit_meta(attributes(encoding, path, resource.attributes));
        Ok(())
    }

    fn set_scope(
        &mut self,
        encoding: Encoding,
        path: &dyn Display,
        part: Option<Bytes>,
    ) -> Result<(), Problem> {
        self.weight += part.as_ref().map_or(0, Bytes::len);
        self.scope = Scope::default();
        self.scope_attributes = Meta::new();
        self.is_cut.scope = false;
        self.kind = None;
        if let Some(part) = part {
            self.scope = encoding.read(path, part)?;
        }
        let list = std::mem::take(&mut self.scope.attributes);
        (self.scope_attributes, self.is_cut.scope) = fit_meta(attributes(encoding, path, list));
        self.kind = beginning(&self.scope.name, MAX_NAME_LENGTH);
        Ok(())
    }

    /// What the logs of the scope are about, if they do not say it themselves.
    pub(super) fn kind(&self) -> &str {
        match &self.kind {
            Some(beginning) => beginning,
            None if self.scope.name.is_empty() => "log",
            None => &self.scope.name,
        }
    }
}

/// The items that were not stored, for the answer.
pub(super) struct Rejected {
    signal: &'static Signal,
    count: usize,
    /// Those after the first 10,000.
    beyond: usize,
    reasons: Vec<String>,
}

impl Rejected {
    pub(super) const fn of(signal: &'static Signal) -> Self {
        Self { signal, count: 0, beyond: 0, reasons: Vec::new() }
    }

    /// All of so many, with a reason for all or with none.
    pub(super) fn all(signal: &'static Signal, count: usize, reason: Option<&str>) -> Self {
        let reasons = reason.into_iter().map(str::to_owned).collect();
        Self { signal, count, beyond: 0, reasons }
    }

    pub(super) const fn count(&self) -> usize {
        self.count + self.beyond
    }

    fn add(&mut self, path: &dyn Display, reason: &str) {
        self.count += 1;
        self.push_reason(path, reason);
    }

    /// What could not be read, without an item that is lost by it.
    fn note(&mut self, path: &dyn Display, read: Result<(), Problem>) {
        if let Err(problem) = read {
            self.push_reason(path, &problem.detail);
        }
    }

    fn push_reason(&mut self, path: &dyn Display, reason: &str) {
        /// Enough to see a pattern; a batch may have ten thousand.
        const MAX_REASONS: usize = 5;
        if self.reasons.len() < MAX_REASONS {
            let path = path.to_string();
            // Some reasons begin with the place, and go on with one within it.
            let reason = reason
                .strip_prefix(&path)
                .map_or_else(|| format!("{path}: {reason}"), |rest| format!("{path}{rest}"));
            self.reasons.push(reason);
        }
    }

    /// The answer to a call, in the call's own encoding. When everything was stored as it came it
    /// is an empty message; a message without rejected items is a warning, as OTLP has it.
    pub(super) fn answer(mut self, encoding: Encoding, cut: usize) -> Response {
        let items = self.signal.items;
        if cut > 0 {
            self.reasons.push(format!("{cut} of {items}: Truncated to the first 64 KiB."));
        }
        if self.beyond > 0 {
            let beyond = self.beyond;
            self.reasons.push(format!(
                "{beyond} of {items}: At most 10,000 are stored per request. Send the rest in \
                 another request."
            ));
        }
        let error_message = self.reasons.join(" ");
        let rejected = i64::try_from(self.count()).unwrap_or(i64::MAX);
        let is_partial = rejected > 0 || !error_message.is_empty();
        let partial = is_partial.then_some(PartialSuccess { rejected, error_message });
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
        let Ok(batch) = Batch::read(&LOGS, OtlpBody::of(Encoding::Json, body), count) else {
            panic!("it can be read")
        };
        assert_eq!(batch.entries.len() + batch.rejected.count(), 4_000);
        let handed = HANDED.load(Ordering::Relaxed);
        assert!(handed <= 32 * 1024 * 1024, "{handed} bytes");
        assert_eq!(batch.entries.len(), 32 * 1024 * 1024 / NAME);
    }
}
