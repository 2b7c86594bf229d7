//! JSON bodies: reading them, and why one can't be taken, in words.
//!
//! What serde says of a body that does not fit is not enough for a client: it stops at the first
//! wrong field, and calls a number where an enum stands a syntax error. So a body that was refused
//! is looked at again, as often as it takes to tell all that is wrong with it.

mod fault;
#[cfg(feature = "read")]
mod survey;

use serde_json::error::Category;

use self::fault::{Fault, malformed};
use crate::problem::Problem;

/// The refusal of a body that serde could not read. `path` is where in the body it stopped, `.` for
/// the whole. 400 for what is no JSON, 422 for a field that is missing, unknown or mistyped.
///
/// What was sent is never repeated: it may be a secret in the wrong place.
pub fn refusal(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return malformed(error);
    }
    let (field, message) = Fault::of(path, error).told();
    Problem::invalid(field, message)
}

/// Reads a body that has to be an object, as all of ours are. serde would also take a list of the
/// fields' values in their order.
///
/// # Errors
/// 400 for what is no JSON, or more than one value; 422 with every field that is wrong.
#[cfg(feature = "read")]
pub fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    // Finding out what is wrong costs more than reading what is right.
    match serde_json::from_slice(body) {
        Ok(value) if is_object => Ok(value),
        Ok(_) => Err(Problem::invalid("body", "Expected an object.")),
        Err(error) => Err(survey::refusal::<T>(body, is_object, &error)),
    }
}
