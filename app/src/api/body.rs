//! JSON request and response bodies. A body that is not JSON is a 400, one of the wrong shape a
//! 422.

use std::fmt;

use latchkey_domain::json;
use latchkey_domain::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use server_fn::codec::Post;
use server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};

/// Arguments and answers as JSON in the body of a `POST`.
pub type Body = Post<BodyEncoding>;

/// How they are written and read.
pub struct BodyEncoding;

impl ContentType for BodyEncoding {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for BodyEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for BodyEncoding {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for BodyEncoding {
    type Error = BadBody;

    #[cfg(feature = "ssr")]
    fn decode(bytes: Bytes) -> Result<T, BadBody> {
        json::read(&bytes).map_err(BadBody)
    }

    /// The browser reads only what our own server wrote, and has no need of a field's name.
    #[cfg(not(feature = "ssr"))]
    fn decode(bytes: Bytes) -> Result<T, BadBody> {
        serde_json::from_slice(&bytes).map_err(|error| BadBody::from(&error))
    }
}

/// Why a body can't be read. `server_fn` hands it on as text, so the text is the problem as JSON.
#[derive(Debug)]
pub struct BadBody(Problem);

#[cfg(not(feature = "ssr"))]
impl From<&serde_json::Error> for BadBody {
    fn from(error: &serde_json::Error) -> Self {
        Self(json::refusal(".", error))
    }
}

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

#[cfg(feature = "ssr")]
#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_domain::problem::ErrorCode;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Arguments {
        #[expect(dead_code, reason = "only read")]
        count: u8,
    }

    fn code(body: &'static str) -> ErrorCode {
        let decoded: Result<Arguments, BadBody> = BodyEncoding::decode(Bytes::from(body));
        decoded.unwrap_err().0.code
    }

    #[test]
    fn broken_json_is_malformed_and_the_wrong_shape_is_invalid() {
        for body in ["", "{\"count\":1", "{]", "\u{7f}", "{\"count\":1}{}"] {
            assert_eq!(code(body), ErrorCode::Malformed, "{body:?}");
        }
        for body in ["{}", "[1]", "{\"count\":300}", "{\"count\":\"a\"}"] {
            assert_eq!(code(body), ErrorCode::Invalid, "{body:?}");
        }
    }
}
