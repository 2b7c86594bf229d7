//! How a span is shown: the icon and label of its kind, its name, and its status.

use latchkey_domain::api::{SpanKind, SpanStatus, TraceEntry};
use leptos::prelude::*;
use serde_json::Value;

use latchkey_ui::icon::{Glyph, Icon, drawing};
use latchkey_ui::status_badge::{ResponseBadge, SpanStatusBadge};

/// Lucide's `code`, `send` and `inbox`.
const CODE: &str = r#"<path d="m16 18 6-6-6-6M8 6l-6 6 6 6"/>"#;
const SEND: &str = concat!(
    r#"<path d="M14.536 21.686a.5.5 0 0 0 .937-.024l6.5-19a.496.496 0 0 0-.635-.635l-19 6.5"#,
    r#"a.5.5 0 0 0-.024.937l7.93 3.18a2 2 0 0 1 1.112 1.11zM21.854 2.147l-10.94 10.939"/>"#,
);
const INBOX: &str = concat!(
    r#"<path d="M22 12h-6l-2 3h-4l-2-3H2M5.45 5.11 2 12v6a2 2 0 0 0 2 2h16a2 2 0 0 0 2-2v-6"#,
    r#"l-3.45-6.89A2 2 0 0 0 16.76 4H7.24a2 2 0 0 0-1.79 1.11z"/>"#,
);

/// A kind as the page names it.
pub const fn kind_label(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "Unspecified",
        SpanKind::Internal => "Internal",
        SpanKind::Server => "Server",
        SpanKind::Client => "Client",
        SpanKind::Producer => "Producer",
        SpanKind::Consumer => "Consumer",
    }
}

/// A status as the page names it.
pub const fn status_label(status: SpanStatus) -> &'static str {
    match status {
        SpanStatus::Unset => "Unset",
        SpanStatus::Ok => "Ok",
        SpanStatus::Error => "Error",
    }
}

/// The icon of a kind. The label is beside it, or read out.
#[component]
pub fn KindIcon(
    /// OpenTelemetry's kind of the span.
    kind: SpanKind,
) -> impl IntoView {
    const CLASS: &str = "text-ink-3";
    match kind {
        SpanKind::Server => view! { <Icon glyph=Glyph::Server class=CLASS/> }.into_any(),
        SpanKind::Client => view! { <Icon glyph=Glyph::ArrowUpRight class=CLASS/> }.into_any(),
        SpanKind::Unspecified => view! { <Icon glyph=Glyph::CircleDashed class=CLASS/> }.into_any(),
        SpanKind::Internal => drawing(CODE, 16, CLASS).into_any(),
        SpanKind::Producer => drawing(SEND, 16, CLASS).into_any(),
        SpanKind::Consumer => drawing(INBOX, 16, CLASS).into_any(),
    }
}

/// How an item ended: a request by its answer, another span by its own status, and a request that
/// has set one by both.
pub fn outcome(entry: &TraceEntry) -> impl IntoView + use<> {
    let status = span_status(entry);
    let response = is_request(entry).then_some(entry.response_status);
    let own = (response.is_none() || status != SpanStatus::Unset).then_some(status);
    view! {
        <span class="inline-flex items-center gap-1 max-md:flex-wrap">
            {response.map(|status| view! { <ResponseBadge status/> })}
            {own.map(|status| view! { <SpanStatusBadge status/> })}
        </span>
    }
}

/// Whether an item is a request: another span has no answer, and lacks none.
pub fn is_request(entry: &TraceEntry) -> bool {
    const METHODS: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    let is_method = |method: &&str| method.eq_ignore_ascii_case(&entry.request_method);
    entry.response_status != 0 || METHODS.iter().any(is_method)
}

/// The status of a span, if it has set one.
pub fn span_status(entry: &TraceEntry) -> SpanStatus {
    let status = entry.meta.as_ref().and_then(|meta| meta.get("status"));
    let code = status.and_then(|status| status.get("code")).and_then(Value::as_str);
    code.and_then(SpanStatus::from_name).unwrap_or(SpanStatus::Unset)
}

/// The kind of a span, if it says one.
pub fn span_kind(entry: &TraceEntry) -> SpanKind {
    let kind = entry.meta.as_ref().and_then(|meta| meta.get("kind")).and_then(Value::as_str);
    kind.and_then(SpanKind::from_name).unwrap_or(SpanKind::Unspecified)
}

/// What an item is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// The method, or what an SDK says in its place. A span that is no request has none but its
    /// kind, which is told already.
    pub method: Option<String>,
    /// Where the request went, or the span's name.
    pub what: String,
    /// The span's own name, where the rest does not say it.
    pub name: Option<String>,
}

impl Title {
    /// The title of an item.
    pub fn of(entry: &TraceEntry) -> Self {
        let TraceEntry { request_method: method, request_url: what, .. } = entry;
        let is_kind = method.eq_ignore_ascii_case(span_kind(entry).as_str());
        let name = entry.meta.as_ref().and_then(|meta| meta.get("name")).and_then(Value::as_str);
        let is_told = |name: &&str| {
            *name == what
                || *name == method
                || name.strip_prefix(method.as_str()).map(str::trim_start) == Some(what.as_str())
        };
        Self {
            method: (!is_kind && !method.is_empty()).then(|| method.clone()),
            what: what.clone(),
            name: name.filter(|name| !name.is_empty() && !is_told(name)).map(str::to_owned),
        }
    }

    /// In one line, for screen readers.
    pub fn spoken(&self) -> String {
        match &self.method {
            Some(method) => format!("{method} {}", self.what),
            None => self.what.clone(),
        }
    }
}

/// A duration in the unit that fits: `3.4 ms`, `128 ms`, `1.3 s`, `2 min 5 s`.
pub fn duration(ms: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and no duration is negative or near the end of u64"
    )]
    let tenths = (ms * 10.0).round() as u64;
    match tenths {
        0..100 if !tenths.is_multiple_of(10) => format!("{}.{} ms", tenths / 10, tenths % 10),
        0..9_995 => format!("{} ms", (tenths + 5) / 10),
        9_995..599_500 => {
            let tenths_of_a_second = (tenths + 500) / 1_000;
            format!("{}.{} s", tenths_of_a_second / 10, tenths_of_a_second % 10)
        }
        _ => {
            let seconds = (tenths + 5_000) / 10_000;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(method: &str, url: &str, response: u16, meta: &str) -> TraceEntry {
        let item = format!(
            r#"{{"timestamp":0,"requestMethod":"{method}","requestURL":"{url}","responseStatus":{response},
                "traceId":"a","spanId":"b","durationMs":null,"meta":{meta}}}"#
        );
        serde_json::from_str(&item).unwrap()
    }

    #[test]
    fn spans_that_are_no_requests_show_their_own_status() {
        for (method, response, meta, is_a_request, status) in [
            ("GET", 0, "null", true, SpanStatus::Unset),
            ("post", 0, "null", true, SpanStatus::Unset),
            ("PURGE", 200, "null", true, SpanStatus::Unset),
            ("INTERNAL", 0, r#"{"status":{"code":"error"}}"#, false, SpanStatus::Error),
            ("CLIENT", 0, r#"{"status":{"code":"ok"}}"#, false, SpanStatus::Ok),
            ("service.charge", 0, r#"{"status":7}"#, false, SpanStatus::Unset),
        ] {
            let entry = entry(method, "a", response, meta);
            let found = (is_request(&entry), span_status(&entry));
            assert_eq!(found, (is_a_request, status), "{method} {meta}");
        }
    }

    #[test]
    fn kinds_are_told_where_they_say_something() {
        for (meta, kind) in [
            (r#"{"kind":"consumer"}"#, SpanKind::Consumer),
            (r#"{"kind":"unspecified"}"#, SpanKind::Unspecified),
            (r#"{"kind":3}"#, SpanKind::Unspecified),
            ("null", SpanKind::Unspecified),
        ] {
            assert_eq!(span_kind(&entry("GET", "/", 200, meta)), kind, "{meta}");
        }
    }

    #[test]
    fn titles_say_everything_once() {
        let title = |method, url, meta| {
            let Title { method, what, name } = Title::of(&entry(method, url, 0, meta));
            [method.unwrap_or_default(), what, name.unwrap_or_default()]
        };
        for (method, url, meta, expected) in [
            ("GET", "/cart", "null", ["GET", "/cart", ""]),
            ("INTERNAL", "charge", r#"{"kind":"internal","name":"charge"}"#, ["", "charge", ""]),
            ("GET", "/a/7", r#"{"name":"GET /a/{id}"}"#, ["GET", "/a/7", "GET /a/{id}"]),
            ("GET", "/a", r#"{"name":"GET /a"}"#, ["GET", "/a", ""]),
            ("GET", "/a", r#"{"name":"GET"}"#, ["GET", "/a", ""]),
            ("service.charge", "/x", "null", ["service.charge", "/x", ""]),
        ] {
            assert_eq!(title(method, url, meta), expected, "{method} {meta}");
        }
    }

    #[test]
    fn durations_are_in_the_unit_that_fits() {
        for (ms, words) in [
            (0.0, "0 ms"),
            (0.42, "0.4 ms"),
            (3.0, "3 ms"),
            (12.5, "13 ms"),
            (128.4, "128 ms"),
            (999.4, "999 ms"),
            (999.6, "1.0 s"),
            (1_250.0, "1.3 s"),
            (59_940.0, "59.9 s"),
            (59_960.0, "1 min 0 s"),
            (125_000.0, "2 min 5 s"),
            (-1.0, "0 ms"),
        ] {
            assert_eq!(duration(ms), words, "{ms}");
        }
    }
}
