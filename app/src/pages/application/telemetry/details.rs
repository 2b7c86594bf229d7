//! Splits `meta` into attributes, resource, events and stack traces. All of it is bounded, whatever
//! was sent.

use latchkey_domain::api::{LogEntry, TraceEntry};
use serde_json::{Map, Value};

use super::kind::{Title, kind_label, span_kind, span_status, status_label};

/// The most attributes of an item that are shown.
const MOST_PAIRS: usize = 200;
const MOST_EVENTS: usize = 50;
/// The most attributes of an event.
const MOST_PAIRS_OF_AN_EVENT: usize = 50;
/// The most characters of a value.
const MOST_CHARACTERS: usize = 2_000;
/// The most bytes of `meta` with each value on a line of its own. Beyond, it stands on one line:
/// deep nesting is mostly spaces.
const MOST_BYTES_PRETTY: usize = 256 * 1024;

/// Names with their values, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// The names and values in their order.
    pub shown: Vec<(String, String)>,
    /// How many are not among them.
    pub more: usize,
}

/// A text of several lines, such as a stack trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Name of the block.
    pub name: String,
    /// Content of the block, line by line.
    pub text: String,
}

/// Something that happened within a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Name of the event.
    pub name: String,
    /// When, as it was sent.
    pub time: Option<String>,
    /// What else it says.
    pub pairs: Pairs,
    /// Stack traces of the event.
    pub blocks: Vec<Block>,
}

/// Everything that an opened row shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// What every item has.
    pub facts: Vec<(&'static str, String)>,
    /// What the application says of it.
    pub attributes: Pairs,
    /// Its stack traces and other texts of several lines.
    pub blocks: Vec<Block>,
    /// What the application says of itself.
    pub resource: Pairs,
    /// What happened within it.
    pub events: Vec<Event>,
    /// How many events are not among them.
    pub more_events: usize,
    /// The whole of `meta` as JSON; nothing if there is none.
    pub meta: String,
}

impl Details {
    /// Those of a span or a request.
    pub fn of_trace(entry: &TraceEntry) -> Self {
        let mut details = Self::of(entry.meta.as_ref(), &["name", "kind", "status"]);
        let status = entry.meta.as_ref().and_then(|meta| meta.get("status"));
        let message = status.and_then(|status| status.get("message")).and_then(Value::as_str);
        let own = status_label(span_status(entry));
        details.fact("Kind", kind_label(span_kind(entry)));
        details.fact("Status", &message.map_or(own.to_owned(), |text| format!("{own}: {text}")));
        let Title { method, name, .. } = Title::of(entry);
        details.fact("Name", &name.unwrap_or_default());
        details.fact("Method", &method.unwrap_or_default());
        details.fact("URL or name", &entry.request_url);
        if entry.response_status != 0 {
            details.fact("Response", &entry.response_status.to_string());
        }
        details.fact("Duration", &format!("{} ms", entry.duration_ms));
        details.fact("Started", &entry.timestamp.to_string());
        details.fact("Trace id", &entry.trace_id);
        details.fact("Span id", &entry.span_id);
        details.fact("Parent span id", entry.parent_span_id.as_deref().unwrap_or_default());
        details
    }

    /// Those of a line of a log.
    pub fn of_log(entry: &LogEntry) -> Self {
        let mut details = Self::of(entry.meta.as_ref(), &[]);
        details.fact("Level", &entry.level);
        details.fact("Type", &entry.kind);
        details.fact("Time", &entry.timestamp.to_string());
        let client = entry.client_timestamp.filter(|time| *time != entry.timestamp.millisecond());
        let client = client.map(|time| time.to_string());
        details.fact("Client time", &client.unwrap_or_default());
        details.fact("Trace id", entry.trace_id.as_deref().unwrap_or_default());
        let message = Block { name: "Message".to_owned(), text: entry.message.clone() };
        if !message.text.is_empty() {
            details.blocks.insert(0, message);
        }
        details
    }

    /// The content of `meta` without the fields in `told`, which are shown elsewhere. A field
    /// whose value has not the form that OpenTelemetry defines is an attribute like any other.
    fn of(meta: Option<&Map<String, Value>>, told: &[&str]) -> Self {
        let Some(meta) = meta else { return Self::default() };
        let mut details = Self::default();
        let (mut own, mut rest) = (Vec::new(), Vec::new());
        for (name, value) in meta {
            match (name.as_str(), value) {
                ("attributes", Value::Object(map)) => own.extend(map),
                ("resource", Value::Object(map)) => {
                    (details.resource, details.blocks) = pairs(map, MOST_PAIRS);
                }
                ("events", Value::Array(list)) => {
                    details.events = list.iter().take(MOST_EVENTS).map(event).collect();
                    details.more_events = list.len().saturating_sub(MOST_EVENTS);
                }
                (name, _) if told.contains(&name) => {}
                _ => rest.push((name, value)),
            }
        }
        let (attributes, blocks) = pairs(own.into_iter().chain(rest), MOST_PAIRS);
        details.attributes = attributes;
        details.blocks.splice(0..0, blocks);
        details.meta = whole(meta);
        details
    }

    fn fact(&mut self, name: &'static str, value: &str) {
        if !value.is_empty() {
            self.facts.push((name, beginning(value)));
        }
    }
}

fn event(value: &Value) -> Event {
    let Value::Object(map) = value else {
        return Event { name: text(value), ..Event::default() };
    };
    let word = |name| map.get(name).and_then(Value::as_str).map(beginning);
    let own = map.get("attributes").and_then(Value::as_object);
    let told =
        |name: &str| matches!(name, "name" | "time") || (name == "attributes" && own.is_some());
    let rest = map.iter().filter(|(name, _)| !told(name));
    let (pairs, blocks) = pairs(own.into_iter().flatten().chain(rest), MOST_PAIRS_OF_AN_EVENT);
    Event { name: word("name").unwrap_or_default(), time: word("time"), pairs, blocks }
}

/// The first `most` of these fields; those of several lines are blocks.
fn pairs<'a>(
    fields: impl IntoIterator<Item = (&'a String, &'a Value)>,
    most: usize,
) -> (Pairs, Vec<Block>) {
    let (mut pairs, mut blocks) = (Pairs::default(), Vec::new());
    for (name, value) in fields {
        if pairs.shown.len() + blocks.len() == most {
            pairs.more += 1;
            continue;
        }
        match value {
            Value::String(text) if text.trim_end().contains('\n') => {
                blocks.push(Block { name: block_name(name), text: text.clone() });
            }
            value => pairs.shown.push((beginning(name), text(value))),
        }
    }
    (pairs, blocks)
}

/// A stack trace by its usual names; anything else by its own.
fn block_name(name: &str) -> String {
    match name {
        "exception.stacktrace" | "code.stacktrace" | "stacktrace" | "stack" | "error.stack" => {
            "Stack trace".to_owned()
        }
        other => beginning(other),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => beginning(text),
        other => beginning(&other.to_string()),
    }
}

/// The first characters of a text, with an ellipsis if it is longer.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn whole(meta: &Map<String, Value>) -> String {
    let pretty = serde_json::to_string_pretty(meta).unwrap_or_default();
    if pretty.len() <= MOST_BYTES_PRETTY {
        return pretty;
    }
    serde_json::to_string(meta).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trace(meta: &Value) -> Details {
        let entry = json!({
            "timestamp": "2026-11-21T07:45:53.120000007Z", "requestMethod": "INTERNAL",
            "requestURL": "charge", "responseStatus": 0, "traceId": "t", "spanId": "s",
            "parentSpanId": "p", "durationMs": 12.345, "meta": meta,
        });
        Details::of_trace(&serde_json::from_value(entry).unwrap())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn spans_tell_attributes_events_and_stack_traces() {
        let details = trace(&json!({
            "name": "charge", "kind": "internal",
            "status": {"code": "error", "message": "card declined"},
            "attributes": {"amounts": [1.5, 2], "customer": "Zoë"},
            "resource": {"service.name": "shop"},
            "events": [
                {"name": "exception", "time": "2026-11-21T07:45:54Z", "attributes": {
                    "exception.type": "Declined", "exception.stacktrace": "a\n  at b",
                }},
                7,
            ],
            "traceState": "a=b",
        }));
        assert!(details.facts.contains(&("Status", "Error: card declined".to_owned())));
        assert!(details.facts.contains(&("Started", "2026-11-21T07:45:53.120000007Z".to_owned())));
        assert!(details.facts.contains(&("Duration", "12.345 ms".to_owned())));
        assert_eq!(
            details.attributes.shown,
            [pair("amounts", "[1.5,2]"), pair("customer", "Zoë"), pair("traceState", "a=b")]
        );
        assert_eq!(details.resource.shown, [pair("service.name", "shop")]);
        assert_eq!(details.events[0].name, "exception");
        assert_eq!(details.events[0].pairs.shown, [pair("exception.type", "Declined")]);
        let stack = Block { name: "Stack trace".to_owned(), text: "a\n  at b".to_owned() };
        assert_eq!(details.events[0].blocks, [stack]);
        assert_eq!(details.events[1].name, "7");
        assert!(details.meta.starts_with("{\n"));
    }

    #[test]
    fn any_meta_is_shown() {
        let details = trace(&json!({
            "attributes": 7, "events": "none", "resource": [1], "region": "eu-1", "status": 200,
            "stack": "Error: no\n at x",
        }));
        let expected = [
            pair("attributes", "7"),
            pair("events", "none"),
            pair("region", "eu-1"),
            pair("resource", "[1]"),
        ];
        assert_eq!(details.attributes.shown, expected);
        assert_eq!(details.blocks[0].name, "Stack trace");
        assert!(details.facts.contains(&("Status", "Unset".to_owned())));
        assert_eq!(trace(&Value::Null).meta, "");
    }

    #[test]
    fn what_is_much_is_cut() {
        let attributes: Map<String, Value> =
            (0..250).map(|number| (format!("{number:03}"), Value::from(number))).collect();
        let events = vec![json!({"name": "e", "attributes": attributes}); 60];
        let details =
            trace(&json!({"attributes": attributes, "events": events, "zzz": "é".repeat(3_000)}));
        assert_eq!((details.attributes.shown.len(), details.attributes.more), (200, 51));
        assert_eq!((details.events.len(), details.more_events), (50, 10));
        let of_an_event = &details.events[0].pairs;
        assert_eq!((of_an_event.shown.len(), of_an_event.more), (50, 200));
        let long = trace(&json!({"zzz": "é".repeat(3_000)}));
        assert_eq!(long.attributes.shown[0].1, format!("{}…", "é".repeat(2_000)));
        let deep = (0..100).fold(Value::from(vec![1; 2_000]), |inner, _| json!([inner]));
        let deep = trace(&json!({ "deep": deep })).meta;
        assert!(!deep.contains('\n') && deep.len() < 5_000);
    }

    #[test]
    fn logs_show_their_whole_message() {
        let entry = json!({
            "traceId": "t", "level": "ERROR", "type": "shop", "message": "Card declined",
            "timestamp": 0, "clientTimestamp": null,
            "meta": {"attributes": {"exception.stacktrace": "a\nb"}, "spanId": "s"},
        });
        let details = Details::of_log(&serde_json::from_value(entry).unwrap());
        let names: Vec<_> = details.blocks.iter().map(|block| block.name.as_str()).collect();
        assert_eq!(names, ["Message", "Stack trace"]);
        assert_eq!(details.attributes.shown, [pair("spanId", "s")]);
        assert!(details.facts.contains(&("Trace id", "t".to_owned())));
    }
}
