//! Finds all errors of a body, for a single response.
//!
//! serde stops at the first error. So each wrong field is reported and removed, each missing one is
//! reported and filled in, and the rest is parsed again, until no error is left or a maximum below
//! is reached.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::fault::{Fault, malformed};
use crate::problem::{ErrorCode, FieldError, Problem};

/// Maximum number of bytes that are parsed again in total. A long body with many errors gets fewer
/// of them reported.
const BYTES_READ_AGAIN: usize = 4 * 1024 * 1024;
/// Maximum number of times that a body is parsed again.
const MAX_ROUNDS: usize = 64;
/// Maximum number of errors in a response.
const MAX_FAULTS: usize = 32;
/// Values to fill in for a missing or wrong field. The field is required, and further errors show
/// only once it is present. The first value that fits its type is used.
const STAND_INS: [&str; 7] = ["a", "1", "true", "[]", "{}", "[\"a\"]", "2100-01-01T00:00:00Z"];

/// The response for a refused body, given serde's first error.
pub(super) fn refusal<T: DeserializeOwned>(
    body: &[u8],
    is_object: bool,
    error: &serde_json::Error,
) -> Problem {
    if let Err(broken) = std::str::from_utf8(body) {
        let place = broken.valid_up_to() + 1;
        let detail = format!("The body is not valid UTF-8 at byte {place}.");
        return Problem::new(ErrorCode::Malformed, detail);
    }
    if let Err(broken) = serde_json::from_slice::<IgnoredAny>(body) {
        return malformed(&broken);
    }
    if !is_object {
        return Problem::invalid("body", "Expected an object.");
    }
    if is_about_text(error) {
        return malformed(error);
    }
    let mut faults = Survey::of::<T>(body);
    if let Some((field, message)) = first::<T>(body) {
        // The first error in the order of the body. The survey may have a better message for it.
        let known = faults.iter().position(|fault| fault.field == field);
        let fault = known.map_or(FieldError { field, message }, |index| faults.remove(index));
        faults.insert(0, fault);
    }
    if faults.is_empty() { malformed(error) } else { Problem::invalid_fields(faults) }
}

/// Whether the error is about a string that is valid JSON but not valid Unicode.
fn is_about_text(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    error.classify() == Category::Syntax
        && ["surrogate", "hex escape", "unicode"].iter().any(|word| text.contains(word))
}

/// The first error in the order of the body.
fn first<T: DeserializeOwned>(body: &[u8]) -> Option<(String, String)> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let error = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err()?;
    let (field, message) = Fault::of(&error.path().to_string(), error.inner()).into_parts();
    // The body is valid JSON, so a reported syntax error means a value of the wrong type.
    let is_syntax = error.inner().classify() == Category::Syntax && !message.ends_with('.');
    let message =
        if is_syntax { "Expected a different type of value.".to_owned() } else { message };
    Some((field, message))
}

/// A body whose errors are repaired one by one.
struct Survey {
    value: Value,
    faults: Vec<FieldError>,
    /// Fields that were filled in, with the number of values tried.
    filled: BTreeMap<String, usize>,
}

impl Survey {
    fn of<T: DeserializeOwned>(body: &[u8]) -> Vec<FieldError> {
        // A body that is nested too deeply does not parse, and that is its only error.
        let Ok(value) = serde_json::from_slice(body) else { return Vec::new() };
        let mut survey = Self { value, faults: Vec::new(), filled: BTreeMap::new() };
        let rounds = (BYTES_READ_AGAIN / body.len().max(1)).clamp(2, MAX_ROUNDS);
        for _ in 0..rounds {
            let read = serde_path_to_error::deserialize::<_, T>(&survey.value);
            let Err(error) = read else { break };
            let repaired = survey.repair(error.path(), error.inner());
            if !repaired || survey.faults.len() >= MAX_FAULTS {
                break;
            }
        }
        survey.faults
    }

    /// Records an error and repairs the value so that parsing can go on; `false` if it can't.
    fn repair(&mut self, path: &Path, error: &serde_json::Error) -> bool {
        let segments: Vec<&Segment> = path.iter().collect();
        match Fault::of(&path.to_string(), error) {
            Fault::Unknown { field, name } => {
                self.record(field, Fault::Unknown { field: String::new(), name: name.clone() });
                self.take_out(&segments, Some(&name))
            }
            Fault::Missing { field, name } => {
                if !self.is_recorded(&field) {
                    self.record(
                        field.clone(),
                        Fault::Missing { field: String::new(), name: name.clone() },
                    );
                }
                self.filled.insert(field, 0);
                let stand_in = Value::String(STAND_INS[0].to_owned());
                let parent = find(&mut self.value, &segments).and_then(Value::as_object_mut);
                parent.map(|fields| fields.insert(name, stand_in)).is_some()
            }
            Fault::Wrong { field, message } => self.repair_wrong(&segments, field, message, error),
        }
    }

    fn repair_wrong(
        &mut self,
        segments: &[&Segment],
        field: String,
        message: String,
        error: &serde_json::Error,
    ) -> bool {
        let Some(place) = find(&mut self.value, segments) else { return false };
        if let Some(tried) = self.filled.get_mut(&field) {
            *tried += 1;
            let stand_in = a_variant(error).or_else(|| STAND_INS.get(*tried).copied().map(json));
            return stand_in.is_some_and(|stand_in| {
                *place = stand_in;
                *tried < STAND_INS.len()
            });
        }
        // serde lists an enum's variants only if the value is a string.
        if message == "Expected string or map." && !place.is_string() {
            *place = Value::String(String::new());
            return true;
        }
        self.faults.push(FieldError { field, message });
        self.take_out(segments, None)
    }

    /// Whether an error was recorded for a field or something inside it.
    fn is_recorded(&self, field: &str) -> bool {
        self.faults.iter().any(|fault| {
            let rest = fault.field.strip_prefix(field);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
        })
    }

    fn record(&mut self, field: String, fault: Fault) {
        let (_, message) = fault.into_parts();
        self.faults.push(FieldError { field, message });
    }

    /// Removes a field: the last one in the path, or `name` in the object at the path. If the field
    /// is a list, the whole list goes.
    fn take_out(&mut self, path: &[&Segment], name: Option<&str>) -> bool {
        let last = path.iter().rposition(|segment| matches!(segment, Segment::Map { .. }));
        let named = last.and_then(|last| match path[last] {
            Segment::Map { key } => Some((last, key.as_str())),
            _ => None,
        });
        let (parent, key) = match (named, name) {
            (Some((last, key)), None) => (&path[..last], key),
            (Some((last, key)), Some(name)) if key == name && last + 1 == path.len() => {
                (&path[..last], key)
            }
            (_, Some(name)) => (path, name),
            (None, None) => return false,
        };
        let parent = find(&mut self.value, parent).and_then(Value::as_object_mut);
        parent.is_some_and(|fields| fields.remove(key).is_some())
    }
}

/// The value at a path.
fn find<'a>(value: &'a mut Value, path: &[&Segment]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(index),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}

/// The first variant in serde's message about an enum.
fn a_variant(error: &serde_json::Error) -> Option<Value> {
    let text = error.to_string();
    let (start, expected) = text.split_once(", expected ")?;
    let variant = start.starts_with("unknown variant").then(|| expected.split('`').nth(1));
    variant.flatten().map(Value::from)
}

/// A value to fill in, parsed as JSON or else taken as a string.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::api::{
        ApplicationRequest, DryRunRequest, InferenceKeyRequest, KeyPatch, KeyRequest,
        MemberRequest, OrganizationPatch, TraceBatch, VerifyRequest,
    };
    use crate::json::read;

    use super::*;

    fn refused<T: DeserializeOwned>(body: &str) -> Problem {
        read::<T>(body.as_bytes()).err().unwrap_or_else(|| panic!("{body:.200} was taken"))
    }

    fn fields<T: DeserializeOwned>(body: &str) -> Vec<String> {
        let problem = refused::<T>(body);
        assert_eq!(problem.code, ErrorCode::Invalid, "{body}: {problem:?}");
        let mut fields: Vec<_> = problem.errors.into_iter().map(|error| error.field).collect();
        fields.sort();
        fields
    }

    #[test]
    fn enum_of_wrong_type_is_reported_as_wrong_field() {
        for wrong in ["5", "5.5", "true", "[]", "[\"live\"]", "{}", "{\"live\":null}", "-1"] {
            let body = format!(r#"{{"name":"z","environment":{wrong}}}"#);
            let problem = refused::<KeyRequest>(&body);
            assert_eq!(problem.code, ErrorCode::Invalid, "{body}: {problem:?}");
            assert_eq!(problem.errors[0].field, "environment", "{body}");
            assert_eq!(problem.errors.len(), 1, "{body}: {problem:?}");
        }
        let problem = refused::<KeyRequest>(r#"{"name":"z","environment":5}"#);
        assert_eq!(problem.errors[0].message, "Expected \"live\" or \"test\".");
        assert_eq!(
            fields::<KeyRequest>(
                r#"{"name":"z","kind":1,"permissions":[2],"token_limit_period":3}"#
            ),
            ["kind", "permissions[0]", "token_limit_period"]
        );
        assert_eq!(fields::<OrganizationPatch>(r#"{"tier":7}"#), ["tier"]);
        assert_eq!(fields::<MemberRequest>(r#"{"login":"a","role":7}"#), ["role"]);
        assert_eq!(
            fields::<ApplicationRequest>(r#"{"name":"a","environment":7}"#),
            ["environment"]
        );
        assert_eq!(
            fields::<InferenceKeyRequest>(r#"{"name":"a","environment":7}"#),
            ["environment"]
        );
        assert_eq!(fields::<KeyPatch>(r#"{"token_limit_period":[]}"#), ["token_limit_period"]);
    }

    #[test]
    fn all_wrong_fields_are_reported_at_once() {
        let body = r#"{"rpm":"x","environment":5,"colour":1,"tpm":0,"allowed_models":["a",7]}"#;
        assert_eq!(
            fields::<KeyRequest>(body),
            ["allowed_models[1]", "colour", "environment", "name", "rpm", "tpm"]
        );
        let problem = refused::<KeyRequest>(body);
        assert_eq!(problem.errors[0].field, "rpm", "the first of the body comes first");
        assert!(problem.detail.contains("rpm: Expected a whole number from 1"), "{problem:?}");
        assert_eq!(fields::<MemberRequest>("{}"), ["login", "role"]);
        assert_eq!(fields::<VerifyRequest>(r#"{"ip":1,"cost":-1}"#), ["cost", "ip", "key"]);
        assert_eq!(fields::<VerifyRequest>(r#"{"key":1,"model":2}"#), ["key", "model"]);
        assert_eq!(fields::<TraceBatch>(r#"{"traces":[1]}"#), ["traces[0]"]);
    }

    #[test]
    fn duplicate_field_is_refused() {
        let problem = refused::<KeyRequest>(r#"{"name":"a","name":"b"}"#);
        assert_eq!(problem.code, ErrorCode::Invalid);
    }

    #[test]
    fn body_with_two_values_is_refused() {
        for body in [
            r#"{"name":"a"}{"name":"b"}"#,
            r#"{"name":"a"} 1"#,
            r#"{"colour":1}{}"#,
            r#"{"name":5}}"#,
            r#"{"name":5, nonsense"#,
            "[] []",
        ] {
            assert_eq!(refused::<KeyRequest>(body).code, ErrorCode::Malformed, "{body}");
        }
    }

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        let read = |body: &str| read::<KeyRequest>(body.as_bytes());
        let made = read(r#"{"name":"a","rpm":60.0,"tpm":1e3}"#).unwrap();
        assert_eq!(
            (made.rpm.flatten().unwrap().get(), made.tpm.flatten().unwrap().get()),
            (60, 1_000)
        );
        for wrong in ["60.5", "-60.0", "0.0", "1e300", "1e999"] {
            let body = format!(r#"{{"name":"a","rpm":{wrong}}}"#);
            assert_eq!(fields::<KeyRequest>(&body), ["rpm"], "{wrong}");
        }
    }

    #[test]
    fn cost_must_fit_the_database() {
        let cost = |text: &str| {
            let body = format!(r#"{{"key":"a","cost":{text}}}"#);
            read::<VerifyRequest>(body.as_bytes()).map(|request| request.cost)
        };
        assert_eq!(cost("9223372036854775807"), Ok(i64::MAX.unsigned_abs()));
        assert_eq!(cost("12.0"), Ok(12));
        assert_eq!(cost("0"), Ok(0));
        for wrong in ["9223372036854775808", "18446744073709551615", "1e30", "-1", "0.5", "null"] {
            assert_eq!(cost(wrong).unwrap_err().errors[0].field, "cost", "{wrong}");
        }
        assert_eq!(fields::<DryRunRequest>(r#"{"tokens":9223372036854775808}"#), ["tokens"]);
    }

    #[test]
    fn deeply_nested_value_is_reported_as_wrong_field() {
        #[derive(Debug, Deserialize)]
        struct Any {
            #[expect(dead_code, reason = "only read")]
            a: Value,
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(refused::<Any>(&deep).code, ErrorCode::Invalid);
    }

    #[test]
    fn long_body_is_parsed_again_less_often() {
        let many = (0..100_000).map(|number| format!("\"f{number}\":1"));
        let body = format!("{{{}}}", many.collect::<Vec<_>>().join(","));
        let count = refused::<KeyRequest>(&body).errors.len();
        assert!((2..=MAX_FAULTS).contains(&count), "{count}");
    }
}
