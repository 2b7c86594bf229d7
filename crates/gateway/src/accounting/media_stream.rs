//! Streams of transcripts, speech and images: what their events mean.
//!
//! OpenAI's events have a type, and the last one of a stream is the one that has the usage. Some
//! servers stream transcripts as chunks of a chat instead, with `[DONE]` at the end.

use std::borrow::Cow;

use serde::Deserialize;

/// What an event is, as far as the accounting asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaEvent {
    /// A part of the answer.
    Part,
    /// Text that other events have too.
    Repeated,
    /// The last event. It may have the whole text.
    Last,
    Error,
    Other,
}

#[derive(Deserialize)]
struct MediaEventHead<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

impl MediaEvent {
    /// Reads the data of an event.
    pub(super) fn of(data: &[u8]) -> Self {
        let Ok(head) = serde_json::from_slice::<MediaEventHead<'_>>(data) else {
            return Self::Other;
        };
        match &*head.kind {
            "transcript.text.delta" | "speech.audio.delta" | "image_generation.partial_image" => {
                Self::Part
            }
            "transcript.text.segment" => Self::Repeated,
            "transcript.text.done" | "speech.audio.done" | "image_generation.completed" => {
                Self::Last
            }
            "error" => Self::Error,
            _ => Self::Other,
        }
    }

    /// Whether its text is a part of the answer that was not told before.
    pub(super) const fn is_new(self) -> bool {
        !matches!(self, Self::Repeated | Self::Last)
    }

    /// Whether it has something of the answer.
    pub(super) const fn is_content(self) -> bool {
        matches!(self, Self::Part | Self::Repeated | Self::Last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meaning_of_an_event_is_in_its_type() {
        for (data, meaning) in [
            (r#"{"type":"transcript.text.delta","delta":"a"}"#, MediaEvent::Part),
            (r#"{"type":"transcript.text.segment","text":"a"}"#, MediaEvent::Repeated),
            (r#"{"type":"transcript.text.done","text":"a"}"#, MediaEvent::Last),
            (r#"{"type":"speech.audio.delta","audio":"AAAA"}"#, MediaEvent::Part),
            (r#"{"type":"speech.audio.done"}"#, MediaEvent::Last),
            (r#"{"type":"image_generation.completed"}"#, MediaEvent::Last),
            (r#"{"type":"error","error":{}}"#, MediaEvent::Error),
            (r#"{"type":"invented.later"}"#, MediaEvent::Other),
            (r#"{"choices":[]}"#, MediaEvent::Other),
            ("x", MediaEvent::Other),
        ] {
            assert_eq!(MediaEvent::of(data.as_bytes()), meaning, "{data}");
        }
    }
}
