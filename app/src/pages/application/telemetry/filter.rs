//! The filters of the two lists, and which trace is open. Both are part of the URL, so that a link
//! shows the same view.

use latchkey_domain::api::{LogFilter, SpanKind, SpanStatus, TraceFilter};
use latchkey_domain::query::QueryText;
use leptos_router::params::ParamsMap;

use crate::data::url_filter::{FilterState, UrlFilter};

/// The two lists of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum List {
    /// List of traces and spans.
    #[default]
    Traces,
    /// List of log messages.
    Logs,
}

impl List {
    /// As the address names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

/// What is shown of the telemetry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TelemetryFilter {
    /// Which of the two lists is shown.
    pub list: List,
    /// The trace that is open as a tree, in place of the list of traces.
    pub trace: Option<QueryText>,
    /// Only of this trace.
    pub trace_id: String,
    /// What the rows contain.
    pub q: String,
    /// Only spans of this kind.
    pub kind: Option<SpanKind>,
    /// Only spans with this status.
    pub status: Option<SpanStatus>,
    /// Only spans without one above them.
    pub root: bool,
    /// Only log lines of this level.
    pub level: String,
}

impl TelemetryFilter {
    /// The other list, of the same trace.
    #[must_use]
    pub fn switched(&self, list: List) -> Self {
        let trace_id = self.trace_id.clone();
        Self { list, trace_id, ..Self::default() }
    }

    /// Whether it leaves rows out that could be listed.
    pub fn is_narrow(&self) -> bool {
        *self != Self { list: self.list, trace: self.trace.clone(), ..Self::default() }
    }

    /// As the server takes it, for traces.
    pub fn for_traces(&self) -> TraceFilter {
        TraceFilter {
            trace_id: QueryText::fitting(&self.trace_id),
            kind: self.kind,
            status: self.status,
            root: self.root,
            q: QueryText::fitting(&self.q),
        }
    }

    /// The same for logs.
    pub fn for_logs(&self) -> LogFilter {
        LogFilter {
            trace_id: QueryText::fitting(&self.trace_id),
            level: QueryText::fitting(&self.level),
            q: QueryText::fitting(&self.q),
        }
    }
}

impl UrlFilter for TelemetryFilter {
    fn from_query(query: &ParamsMap) -> Self {
        let text = |name| query.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        let one = |name, all: &[&'static str]| {
            query.get_str(name).and_then(|text| all.iter().position(|one| *one == text))
        };
        let shared = Self { trace_id: text("trace_id"), q: text("q"), ..Self::default() };
        if query.get_str("tab") == Some(List::Logs.name()) {
            return Self { list: List::Logs, level: text("level"), ..shared };
        }
        Self {
            trace: query.get_str("trace").and_then(QueryText::fitting),
            kind: one("kind", &SpanKind::ALL.map(SpanKind::as_str))
                .map(|place| SpanKind::ALL[place]),
            status: one("status", &SpanStatus::ALL.map(SpanStatus::as_str))
                .map(|place| SpanStatus::ALL[place]),
            root: query.get_str("root") == Some("true"),
            ..shared
        }
    }

    fn to_query(&self) -> String {
        let mut query = ParamsMap::new();
        query.insert("tab", self.list.name().to_owned());
        let given = [
            ("trace", self.trace.as_ref().map(QueryText::as_str)),
            ("trace_id", Some(self.trace_id.as_str())),
            ("q", Some(self.q.as_str())),
            ("kind", self.kind.map(SpanKind::as_str)),
            ("status", self.status.map(SpanStatus::as_str)),
            ("root", self.root.then_some("true")),
            ("level", Some(self.level.as_str())),
        ];
        for (name, value) in given {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.insert(name, value.to_owned());
            }
        }
        query.to_query_string()
    }

    fn cleared(&self) -> Self {
        Self { list: self.list, ..Self::default() }
    }
}

/// The address of a trace as a tree, if it can be looked for.
pub fn trace_address(id: &str) -> Option<String> {
    let trace = Some(id.parse().ok()?);
    Some(TelemetryFilter { trace, ..TelemetryFilter::default() }.to_query())
}

/// The filter of the page.
pub type TelemetryFilterState = FilterState<TelemetryFilter>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::url_filter::tests::{query, readable};

    const ID: &str = "5b8efff798038103d269b633813fc60c";

    #[test]
    fn a_filter_survives_its_address() {
        let traces = TelemetryFilter {
            trace_id: ID.to_owned(),
            q: "GET /a&b".to_owned(),
            kind: Some(SpanKind::Unspecified),
            status: Some(SpanStatus::Unset),
            root: true,
            ..TelemetryFilter::default()
        };
        let expected = format!(
            "?tab=traces&trace_id={ID}&q=GET%20%2Fa%26b&kind=unspecified&status=unset&root=true"
        );
        assert_eq!(readable(&traces.to_query()), expected);
        let read = query(&[
            ("trace_id", ID),
            ("q", " GET /a&b "),
            ("kind", "unspecified"),
            ("status", "unset"),
            ("root", "true"),
        ]);
        assert_eq!(TelemetryFilter::from_query(&read), traces);
        let logs = TelemetryFilter {
            list: List::Logs,
            level: "warn".to_owned(),
            ..TelemetryFilter::default()
        };
        assert_eq!(logs.to_query(), "?tab=logs&level=warn");
        assert_eq!(
            TelemetryFilter::from_query(&query(&[("tab", "logs"), ("level", "warn")])),
            logs
        );
    }

    #[test]
    fn what_an_address_says_wrong_is_left_out() {
        let read = query(&[
            ("tab", "metrics"),
            ("kind", "SERVER"),
            ("status", "200"),
            ("root", "1"),
            ("level", "warn"),
            ("trace", "\0"),
        ]);
        assert_eq!(TelemetryFilter::from_query(&read), TelemetryFilter::default());
        // Filters of the other list don't apply.
        let read = query(&[("tab", "logs"), ("kind", "server"), ("root", "true")]);
        assert!(!TelemetryFilter::from_query(&read).is_narrow());
    }

    #[test]
    fn a_trace_has_an_address_if_it_can_be_looked_for() {
        let address = trace_address(ID).unwrap();
        assert_eq!(address, format!("?tab=traces&trace={ID}"));
        let open = TelemetryFilter::from_query(&query(&[("trace", ID)]));
        assert_eq!(open.trace.as_ref().map(QueryText::as_str), Some(ID));
        assert!(!open.is_narrow());
        for id in ["", "a\0b", &"a".repeat(201)] {
            assert_eq!(trace_address(id), None);
        }
    }

    #[test]
    fn the_other_list_shows_the_same_trace() {
        let filter = TelemetryFilter {
            trace_id: ID.to_owned(),
            q: "a".to_owned(),
            kind: Some(SpanKind::Server),
            ..TelemetryFilter::default()
        };
        assert_eq!(filter.switched(List::Logs).to_query(), filter_of_logs());
    }

    fn filter_of_logs() -> String {
        let logs = TelemetryFilter {
            list: List::Logs,
            trace_id: ID.to_owned(),
            ..TelemetryFilter::default()
        };
        logs.to_query()
    }
}
