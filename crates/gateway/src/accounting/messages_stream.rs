//! Streams in the form of Anthropic's Messages API: what its events mean, and the events that
//! complete a stream or end it early.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;

/// The last event of every stream.
pub(super) const MESSAGE_STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// What an event is, as far as the accounting asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessagesEvent {
    /// Its output count is a placeholder, as nothing has been generated yet.
    Start,
    Stop,
    Error,
    Other,
}

/// The place in a stream.
#[derive(Debug, Default)]
pub(super) struct MessagesStream {
    /// Index of the content block that is open.
    open: Option<u64>,
    /// The same before the last event.
    open_before: Option<u64>,
    /// Whether an event after the first has told the output tokens.
    tells_output: bool,
}

/// The members of an event that tell its meaning.
#[derive(Deserialize)]
struct EventHead<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: Option<u64>,
}

impl MessagesStream {
    /// Reads the data of an event. `counts_output` says whether it tells the output tokens.
    pub(super) fn read(&mut self, data: &[u8], counts_output: bool) -> MessagesEvent {
        self.open_before = self.open;
        let Ok(head) = serde_json::from_slice::<EventHead<'_>>(data) else {
            return MessagesEvent::Other;
        };
        match &*head.kind {
            "message_start" => return MessagesEvent::Start,
            "content_block_start" => self.open = Some(head.index.unwrap_or_default()),
            "content_block_stop" => self.open = None,
            "message_stop" => return MessagesEvent::Stop,
            "error" => return MessagesEvent::Error,
            _ => {}
        }
        self.tells_output |= counts_output;
        MessagesEvent::Other
    }

    /// Whether the reported output tokens are more than the placeholder of the first event.
    pub(super) const fn tells_output(&self) -> bool {
        self.tells_output
    }

    /// The events that end a stream in place of the last one that was read, as if the model had
    /// reached `max_tokens`. The block that the client has seen begin is closed first.
    pub(super) fn cap_events(&self, output_tokens: u64) -> String {
        let close = self.open_before.map(|index| {
            let stop = json!({ "type": "content_block_stop", "index": index });
            format!("event: content_block_stop\ndata: {stop}\n\n")
        });
        let delta = json!({
            "type": "message_delta",
            "delta": { "stop_reason": "max_tokens", "stop_sequence": null },
            "usage": { "output_tokens": output_tokens },
        });
        let close = close.unwrap_or_default();
        format!("{close}event: message_delta\ndata: {delta}\n\n{MESSAGE_STOP}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(stream: &mut MessagesStream, event: &Value) -> MessagesEvent {
        stream.read(event.to_string().as_bytes(), false)
    }

    /// The types of the events.
    fn kinds(events: &str) -> Vec<&str> {
        events.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
    }

    #[test]
    fn cap_closes_the_block_that_the_client_has_seen() {
        let start = json!({ "type": "content_block_start", "index": 3, "content_block": {} });
        let delta = json!({ "type": "content_block_delta", "index": 3, "delta": {} });
        let stop = json!({ "type": "content_block_stop", "index": 3 });
        for (events, is_open) in [
            (vec![], false),
            (vec![&start], false),
            (vec![&start, &delta], true),
            (vec![&start, &delta, &stop], true),
            (vec![&start, &stop, &start], false),
        ] {
            let mut stream = MessagesStream::default();
            for event in events {
                read(&mut stream, event);
            }
            let ended = stream.cap_events(7);
            let expected: &[&str] = if is_open {
                &["content_block_stop", "message_delta", "message_stop"]
            } else {
                &["message_delta", "message_stop"]
            };
            assert_eq!(kinds(&ended), expected, "{ended}");
            assert_eq!(ended.contains("\"index\":3"), is_open);
            assert!(ended.contains("\"output_tokens\":7") && ended.contains("\"max_tokens\""));
        }
    }

    #[test]
    fn meaning_of_an_event_is_in_its_type() {
        let mut stream = MessagesStream::default();
        for (kind, meaning) in [
            ("message_start", MessagesEvent::Start),
            ("message_stop", MessagesEvent::Stop),
            ("error", MessagesEvent::Error),
            ("ping", MessagesEvent::Other),
            ("invented_later", MessagesEvent::Other),
        ] {
            assert_eq!(read(&mut stream, &json!({ "type": kind })), meaning, "{kind}");
        }
        for odd in [json!(7), json!({}), json!({ "type": 7 }), json!([])] {
            assert_eq!(read(&mut stream, &odd), MessagesEvent::Other, "{odd}");
        }
    }
}
