//! Bodies of the endpoints whose answers have no cap, some of which are forms.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};

use super::{CallBody, positive_count};
use crate::endpoint::Endpoint;
use crate::error::GatewayError;
use crate::estimate::PromptTokens;
use crate::fields::Fields;
use crate::max_tokens::MaxTokens;
use crate::media::form::Form;
use crate::media::request_fields;
use crate::request_headers::PassedHeaders;

impl CallBody {
    /// Parses a body, which is JSON whatever its headers say, unless the endpoint takes a form.
    ///
    /// # Errors
    /// As [`Self::parse`]; 400: the form is malformed or could be read in more than one way.
    pub(crate) fn read(
        endpoint: Endpoint,
        headers: &HeaderMap,
        bytes: Bytes,
    ) -> Result<Self, GatewayError> {
        if !endpoint.is_transcript() {
            return Self::parse(endpoint, bytes);
        }
        let (form, fields) = Form::read(headers, bytes, endpoint.prompt())?;
        let body = Self::of_fields(endpoint, fields)?;
        Ok(Self { form: Some(form), ..body })
    }

    pub(super) fn of_media(
        endpoint: Endpoint,
        model: String,
        prompt: PromptTokens,
        fields: Fields,
    ) -> Result<Self, GatewayError> {
        request_fields::check(&fields, endpoint)?;
        let stream = request_fields::asks_for_stream(&fields, endpoint)?;
        let (choices, generated) = match endpoint {
            Endpoint::Images => {
                let images = positive_count(&fields, "n")?;
                (images, images)
            }
            Endpoint::Transcriptions | Endpoint::Translations => (1, 1),
            // Speech is heard while it is generated, and often left in the middle. Reserving
            // tokens that its answer hardly ever reports would charge for them then.
            _ => (1, 0),
        };
        Ok(Self {
            endpoint,
            model,
            stream,
            background: false,
            wants_usage: true,
            prompt,
            caps: MaxTokens::default(),
            thinking: None,
            headers: PassedHeaders::default(),
            choices,
            generated,
            fields,
            form: None,
        })
    }

    /// `Content-Type` of the body for the upstream.
    pub(crate) fn content_type(&self) -> HeaderValue {
        match &self.form {
            Some(form) => form.content_type().clone(),
            None => HeaderValue::from_static("application/json"),
        }
    }

    /// Size of the recording in the form, or 0.
    pub(crate) fn recording_bytes(&self) -> usize {
        self.form.as_ref().map_or(0, Form::recording_bytes)
    }

    /// Whether the body is a form.
    pub(crate) const fn is_form(&self) -> bool {
        self.form.is_some()
    }
}
