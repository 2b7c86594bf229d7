//! Whether a response is to be made in the background.

use super::{CallBody, parse_bool};
use crate::endpoint::Endpoint;
use crate::error::GatewayError;
use crate::fields::Fields;

impl CallBody {
    /// Reads the field `background`.
    ///
    /// # Errors
    /// 400: it is no boolean, nothing can be made in the background here, or the response could
    /// not be read afterwards.
    pub(super) fn read_background(
        fields: &Fields,
        endpoint: Endpoint,
    ) -> Result<bool, GatewayError> {
        const FIELD: &str = "background";
        if !endpoint.is_responses() || !parse_bool(fields.get(FIELD), FIELD)? {
            return Ok(false);
        }
        if endpoint != Endpoint::Responses {
            let message = "Only responses can be made in the background. Leave `background` out.";
            return Err(GatewayError::invalid(FIELD, message));
        }
        if fields.get("store") == Some("false") {
            let message = "A background response has to be stored, or nobody could read it. Leave \
                           `store` out, or set it to true.";
            return Err(GatewayError::invalid(FIELD, message));
        }
        Ok(true)
    }
}
