//! Parses JSON bodies, and explains why a body was refused.
//!
//! serde's error is not enough for a client: it stops at the first wrong field, and reports a
//! number in place of an enum as a syntax error. A refused body is therefore parsed again until all
//! errors are found.

mod fault;
#[cfg(feature = "read")]
mod survey;

use serde_json::error::Category;

use self::fault::{Fault, malformed};
use crate::problem::Problem;

/// The response for a body that serde could not parse. `path` is where serde stopped, `.` for the
/// whole body. 400 for invalid JSON, 422 for a missing, unknown or mistyped field.
///
/// The input is never repeated: it may be a misplaced secret.
pub fn refusal(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return malformed(error);
    }
    let (field, message) = Fault::of(path, error).into_parts();
    Problem::invalid(field, message)
}

/// Parses a body that must be an object, as all of ours are. serde would also accept an array of
/// the fields' values in order.
///
/// # Errors
/// 400 for invalid JSON or more than one value; 422 with every wrong field.
#[cfg(feature = "read")]
pub fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    // Parse first: finding the errors of a wrong body costs more than parsing a right one.
    match serde_json::from_slice(body) {
        Ok(value) if is_object => Ok(value),
        Ok(_) => Err(Problem::invalid("body", "Expected an object.")),
        Err(error) => Err(survey::refusal::<T>(body, is_object, &error)),
    }
}
