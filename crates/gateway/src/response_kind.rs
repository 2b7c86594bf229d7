//! How a response is read that is not an event stream.

use axum::http::HeaderValue;

use super::endpoint::Endpoint;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// As JSON, in which the usage and the text are looked for.
    Json,
    /// As a transcript, all of which is generated text.
    Text,
    /// Not at all: it is audio or an image.
    Media,
}

impl ResponseKind {
    /// The kind by the `Content-Type`. Without one, speech is audio and all else is JSON.
    pub(super) fn of(endpoint: Endpoint, content_type: Option<&HeaderValue>) -> Self {
        if !endpoint.is_media() {
            return Self::Json;
        }
        let Some(content_type) = content_type else {
            return if endpoint == Endpoint::Speech { Self::Media } else { Self::Json };
        };
        let content_type = content_type.as_bytes().to_ascii_lowercase();
        let begins =
            |with: &[&str]| with.iter().any(|begin| content_type.starts_with(begin.as_bytes()));
        if endpoint.is_transcript() && begins(&["text/", "application/x-subrip"]) {
            return Self::Text;
        }
        if begins(&["audio/", "image/", "video/", "application/octet-stream", "application/ogg"]) {
            return Self::Media;
        }
        Self::Json
    }

    /// `Content-Type` of a response that the upstream sent without one.
    pub(super) const fn default_content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Media => "application/octet-stream",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_is_by_the_content_type() {
        let of = |endpoint, content_type: &'static str| {
            ResponseKind::of(endpoint, Some(&HeaderValue::from_static(content_type)))
        };
        assert_eq!(of(Endpoint::Speech, "audio/mpeg"), ResponseKind::Media);
        assert_eq!(of(Endpoint::Speech, "application/json"), ResponseKind::Json);
        assert_eq!(of(Endpoint::Images, "Image/PNG"), ResponseKind::Media);
        assert_eq!(
            of(Endpoint::Transcriptions, "application/json; charset=utf-8"),
            ResponseKind::Json
        );
        assert_eq!(of(Endpoint::Translations, "text/vtt"), ResponseKind::Text);
        assert_eq!(of(Endpoint::Rerank, "text/plain"), ResponseKind::Json);
        assert_eq!(of(Endpoint::Chat, "audio/mpeg"), ResponseKind::Json);
        assert_eq!(ResponseKind::of(Endpoint::Speech, None), ResponseKind::Media);
        assert_eq!(ResponseKind::of(Endpoint::Images, None), ResponseKind::Json);
    }
}
