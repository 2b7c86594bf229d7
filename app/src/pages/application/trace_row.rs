//! A row of the traces list; on narrow screens, its card.

use latchkey_domain::api::{IngestedTrace, SpanStatus, TraceEntry};
use leptos::prelude::*;
use serde_json::Value;

use crate::components::environment_tag::EnvironmentTag;
use crate::components::relative_time::RelativeTime;
use crate::components::status_badge::{ResponseBadge, SpanStatusBadge};
use crate::components::table::{Column, LOW_CELL, ROW};

/// The columns of the list.
pub const COLUMNS: &[Column] = &[
    Column::new("Status"),
    Column::new("Method"),
    Column::new("URL").class("w-full"),
    Column::new("Duration").class("text-right"),
    Column::new("Env"),
    Column::new("Time"),
];

/// One request that the application served.
pub fn trace_row(trace: IngestedTrace) -> impl IntoView {
    let entry = trace.entry;
    let ids = format!("Trace {}, span {}", entry.trace_id, entry.span_id);
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=LOW_CELL>
                {if is_request(&entry) {
                    view! { <ResponseBadge status=entry.response_status/> }.into_any()
                } else {
                    view! { <SpanStatusBadge status=span_status(&entry)/> }.into_any()
                }}
            </td>
            <td role="cell" class=format!("{LOW_CELL} font-mono text-code text-ink-2")>{entry.request_method}</td>
            <td
                role="cell"
                class=format!("{LOW_CELL} max-w-0 truncate font-mono text-code max-md:order-1 max-md:col-span-4 max-md:max-w-none")
                title=ids
            >
                {entry.request_url}
            </td>
            <td role="cell" class=format!("{LOW_CELL} num whitespace-nowrap md:text-right max-md:order-2 max-md:col-span-2")>
                {duration(entry.duration_ms)}
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-md:col-span-2 max-md:justify-self-end")>
                <EnvironmentTag environment=trace.environment/>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2 max-md:order-3 max-md:col-span-2 max-md:justify-self-end")
            >
                <RelativeTime time=entry.timestamp.millisecond()/>
            </td>
        </tr>
    }
}

/// Whether an item is a request: another span has no answer, and lacks none.
fn is_request(entry: &TraceEntry) -> bool {
    const METHODS: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    let is_method = |method: &&str| method.eq_ignore_ascii_case(&entry.request_method);
    entry.response_status != 0 || METHODS.iter().any(is_method)
}

/// The status of a span, if it has set one.
fn span_status(entry: &TraceEntry) -> SpanStatus {
    let status = entry.meta.as_ref().and_then(|meta| meta.get("status"));
    let code = status.and_then(|status| status.get("code")).and_then(Value::as_str);
    code.and_then(SpanStatus::from_name).unwrap_or(SpanStatus::Unset)
}

/// A duration in the unit that fits: `3.4 ms`, `128 ms`, `1.3 s`, `2 min 5 s`.
fn duration(ms: f64) -> String {
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
            let item = format!(
                r#"{{"timestamp":0,"requestMethod":"{method}","requestURL":"a","responseStatus":{response},
                    "traceId":"a","spanId":"b","durationMs":null,"meta":{meta}}}"#
            );
            let entry: TraceEntry = serde_json::from_str(&item).unwrap();
            assert_eq!((is_request(&entry), span_status(&entry)), (is_a_request, status), "{item}");
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
