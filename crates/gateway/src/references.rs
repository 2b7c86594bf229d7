//! What a request points at: files, conversations, prompts and the like, which the upstream keeps.
//!
//! All projects share the upstream's account. If a request might point at anything in it, a project
//! could read what another has stored there. Only responses, their output items and the containers
//! of these are known by project (see `previous_response`), so everything else is unknown (404)
//! unless the upstream's configuration lets the field pass.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr_iter, memmem};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::accounting::MAX_ID_CHARS;
use super::body::{CallBody, eq_ignore_case};
use super::endpoint::Endpoint;
use super::error::GatewayError;

/// Field of `pass_fields` for items that stand for an earlier one.
pub(super) const ITEM_REFERENCE: &str = "item_reference";
/// Field of `pass_fields` for containers.
pub(super) const CONTAINER: &str = "container";
/// Maximum number of items and containers that a request refers to.
const MAX_REFERENCES: usize = 1_000;
/// Fields of Responses that hold the ID of something, or an object with it.
const RESPONSES_FIELDS: [&str; 2] = ["conversation", "prompt"];
/// Fields whose items may point at something.
const NESTED_FIELDS: [&str; 3] = ["input", "messages", "tools"];
/// Members whose value is data of the client or the model, whatever its names are.
const OPAQUE_MEMBERS: [&str; 7] =
    ["parameters", "input_schema", "output_schema", "schema", "arguments", "input", "metadata"];

/// An output item or a container that the project must have.
#[derive(Debug)]
pub(super) struct Reference {
    /// [`ITEM_REFERENCE`] or [`CONTAINER`].
    pub(super) field: &'static str,
    pub(super) id: String,
}

/// Rejects references to what no project of this gateway is known to own. `passes` tells which
/// fields the upstream's configuration lets pass. Returns the output items and containers that the
/// project must have.
///
/// # Errors
/// 404, naming the field. 400: too many items are referred to.
pub(super) fn check(
    body: &CallBody,
    passes: impl Fn(&str) -> bool,
) -> Result<Vec<Reference>, GatewayError> {
    let mut references = Vec::new();
    for name in body.names() {
        let Some(value) = body.field(name) else { continue };
        let mut search = Search { passes: &passes, found: None, references: Vec::new() };
        let own = own_field(body.endpoint, name);
        if let Some(field) = own {
            search.see(field);
        }
        // What passes as a whole may still have a file in it, as the variables of a prompt do.
        let is_searched = own.is_some()
            || NESTED_FIELDS.into_iter().any(|field| eq_ignore_case(name, field))
                && may_point(body.endpoint, value);
        if is_searched && search.found.is_none() {
            let is_input = eq_ignore_case(name, "input");
            let place = if is_input { Place::Items } else { Place::Inside };
            let seed = References { search: &mut search, place };
            // Parsing has already rejected a body that is nested too deeply.
            let _ = seed.deserialize(&mut serde_json::Deserializer::from_str(value));
        }
        if let Some(field) = search.found {
            return Err(unknown(field));
        }
        references.append(&mut search.references);
    }
    if references.len() > MAX_REFERENCES {
        let message = format!("Refer to at most {MAX_REFERENCES} items.");
        return Err(GatewayError::invalid("input", message));
    }
    Ok(references)
}

/// The error of a reference that the project does not have.
pub(super) fn unknown(field: &'static str) -> GatewayError {
    let message =
        format!("What `{field}` points at was not made through this gateway by this project.");
    GatewayError::unknown(Some(field), "not_found", message)
}

/// The field's name if it points at something as a whole.
fn own_field(endpoint: Endpoint, name: &str) -> Option<&'static str> {
    match endpoint {
        endpoint if endpoint.is_responses() => {
            RESPONSES_FIELDS.into_iter().find(|field| eq_ignore_case(name, field))
        }
        Endpoint::Messages | Endpoint::CountTokens => {
            Some("container").filter(|field| eq_ignore_case(name, field))
        }
        _ => None,
    }
}

/// Whether a value has to be searched. Chats and messages are long and seldom point at a file, so
/// they are only searched if a name in them may be that of one.
fn may_point(endpoint: Endpoint, json: &str) -> bool {
    if endpoint.is_responses() {
        return true;
    }
    let json = json.as_bytes();
    let is_file = |at: usize| {
        let before = at.checked_sub(4).and_then(|from| json.get(from..at));
        let after = json.get(at + 1..at + 3);
        before.is_some_and(|text| text.eq_ignore_ascii_case(b"file"))
            && after.is_some_and(|text| text.eq_ignore_ascii_case(b"id"))
    };
    matches!(endpoint, Endpoint::Chat | Endpoint::Messages | Endpoint::CountTokens)
        && (memchr_iter(b'_', json).any(is_file) || memmem::find(json, b"\\u").is_some())
}

/// The first reference that may not pass, and those that must be looked up.
struct Search<'a> {
    passes: &'a dyn Fn(&str) -> bool,
    found: Option<&'static str>,
    references: Vec<Reference>,
}

impl Search<'_> {
    fn see(&mut self, field: &'static str) {
        if self.found.is_none() && !(self.passes)(field) {
            self.found = Some(field);
        }
    }

    /// A reference that passes if the project has what it points at.
    fn see_id(&mut self, field: &'static str, id: Value) {
        match id {
            Value::String(id) if !id.is_empty() && id.chars().count() <= MAX_ID_CHARS => {
                if !(self.passes)(field) {
                    self.references.push(Reference { field, id });
                }
            }
            _ => self.see(field),
        }
    }

    /// An item that stands for the one with this ID.
    fn see_item(&mut self, ids: Vec<Value>) {
        if ids.is_empty() {
            self.see(ITEM_REFERENCE);
        }
        for id in ids {
            self.see_id(ITEM_REFERENCE, id);
        }
    }
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The list of input items.
    Items,
    /// An input item.
    Item,
    Inside,
}

/// Finds the references in a value.
struct References<'s, 'a> {
    search: &'s mut Search<'a>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for References<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for References<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        let Self { search, place } = self;
        let place = if place == Place::Items { Place::Item } else { Place::Inside };
        while parts.next_element_seed(References { search: &mut *search, place })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { search, place } = self;
        let is_item = place != Place::Inside;
        // Of a repeated member some servers read the first, others the last.
        let (mut is_reference, mut has_type, mut has_null) = (false, false, false);
        let (mut ids, mut has_role) = (Vec::new(), false);
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            let is = |other: &str| eq_ignore_case(&name, other);
            if is_item && is("type") {
                let kind: Value = members.next_value()?;
                is_reference |= kind == "item_reference";
                has_null |= kind.is_null();
                has_type = true;
            } else if is_item && is("id") {
                ids.push(members.next_value::<Value>()?);
            } else if is_item && is("role") {
                has_role |= members.next_value::<Value>()?.is_string();
            } else if is("file_id") || is("file_ids") {
                if points(&members.next_value()?) {
                    search.see("file_id");
                }
            } else if is("vector_store_ids") {
                if points(&members.next_value()?) {
                    search.see("vector_store_ids");
                }
            } else if is("container") {
                let container: Value = members.next_value()?;
                if container.is_string() {
                    search.see_id(CONTAINER, container.clone());
                } else if points(&container["id"]) {
                    search.see_id(CONTAINER, container["id"].clone());
                }
                // Its depth is that of the body, which is bounded.
                let seed = References { search: &mut *search, place: Place::Inside };
                let _ = seed.deserialize(&container);
            } else if is("container_id") {
                let id: Value = members.next_value()?;
                if points(&id) {
                    search.see_id(CONTAINER, id);
                }
            } else if OPAQUE_MEMBERS.into_iter().any(is) {
                members.next_value::<IgnoredAny>()?;
            } else {
                members
                    .next_value_seed(References { search: &mut *search, place: Place::Inside })?;
            }
        }
        // The type of a reference may be left out.
        let lacks_type = has_null || !has_type;
        let has_id = ids.iter().any(points);
        if is_item && (is_reference || lacks_type && has_id && !has_role) {
            search.see_item(ids);
        }
        Ok(())
    }
}

/// Whether a value names something: a text, or a list that is not empty.
fn points(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(endpoint: Endpoint, more: &str, passed: &str) -> bool {
        let prompt = endpoint.prompt();
        let own = if more.contains(&format!("\"{prompt}\":")) {
            String::new()
        } else {
            format!(", \"{prompt}\": [{{\"role\": \"user\", \"content\": \"Hi\"}}]")
        };
        let json = format!("{{\"model\": \"m\"{own}, {more}}}");
        let body = CallBody::parse(endpoint, json.into()).unwrap();
        !matches!(check(&body, |field| field == passed), Ok(items) if items.is_empty())
    }

    #[test]
    fn items_that_are_referred_to_must_be_looked_up() {
        let items = |input: &str| -> Result<Vec<String>, Option<String>> {
            let json = format!("{{\"model\": \"m\", \"input\": [{input}]}}");
            let body = CallBody::parse(Endpoint::Responses, json.into()).unwrap();
            let found = check(&body, |_| false);
            let ids = |found: Vec<Reference>| found.into_iter().map(|one| one.id).collect();
            found.map(ids).map_err(|error| error.param().map(str::to_owned))
        };
        let two = r#"{"type": "item_reference", "id": "msg_1"}, {"id": "rs_1"}"#;
        assert_eq!(items(two).unwrap(), ["msg_1", "rs_1"]);
        let repeated = r#"{"type": "item_reference", "id": "msg_1", "id": "msg_2"}"#;
        assert_eq!(items(repeated).unwrap(), ["msg_1", "msg_2"]);
        let call = r#"{"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"}"#;
        assert_eq!(items(call).unwrap(), ["cntr_1"]);
        let long = "m".repeat(MAX_ID_CHARS + 1);
        for odd in [
            r#"{"type": "item_reference"}"#.to_owned(),
            r#"{"type": "item_reference", "id": 7}"#.to_owned(),
            format!(r#"{{"type": "item_reference", "id": "{long}"}}"#),
        ] {
            assert_eq!(items(&odd).unwrap_err().unwrap(), "item_reference", "{odd}");
        }
        let many = vec![r#"{"type": "item_reference", "id": "m"}"#; MAX_REFERENCES + 1];
        assert_eq!(items(&many.join(",")).unwrap_err().unwrap(), "input");
    }

    #[test]
    fn references_are_unknown_unless_their_field_may_pass() {
        for (more, field) in [
            (r#""conversation": "conv_1""#, "conversation"),
            (r#""Conversation": {"id": "conv_1"}"#, "conversation"),
            (r#""prompt": {"id": "pmpt_1"}"#, "prompt"),
            (r#""input": [{"type": "item_reference", "id": "msg_1"}]"#, "item_reference"),
            (r#""input": [{"id": "msg_1"}]"#, "item_reference"),
            (r#""input": [{"type": null, "id": "msg_1"}]"#, "item_reference"),
            (r#""input": [{"role": null, "id": "msg_1"}]"#, "item_reference"),
            (
                r#""input": [{"type": "item_reference", "type": "message", "id": "msg_1"}]"#,
                "item_reference",
            ),
            (
                r#""input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]"#,
                "file_id",
            ),
            (r#""input": [{"role": "user", "content": [{"FILE\u005fID": "f"}]}]"#, "file_id"),
            (
                r#""tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]"#,
                "vector_store_ids",
            ),
            (r#""tools": [{"type": "code_interpreter", "container": "cntr_1"}]"#, "container"),
            (
                r#""tools": [{"type": "x", "container": {"type": "auto", "FILE_IDS": ["f"]}}]"#,
                "file_id",
            ),
            (r#""tools": [{"type": "x", "container": {"id": "cntr_1"}}]"#, "container"),
            (
                r#""tools": [{"type": "shell", "environment": {"container_id": "cntr_1"}}]"#,
                "container",
            ),
            (r#""tools": [{"type": "shell", "environment": {"file_ids": ["f"]}}]"#, "file_id"),
            (
                r#""input": [{"type": "code_interpreter_call", "container_id": "cntr_1"}]"#,
                "container",
            ),
        ] {
            assert!(refused(Endpoint::Responses, more, ""), "{more}");
            assert!(!refused(Endpoint::Responses, more, field), "{more} may pass");
        }
    }

    #[test]
    fn file_in_a_prompt_that_may_pass_is_a_reference() {
        let prompt = r#""prompt": {"id": "p", "variables": {"x": {"file_id": "f"}}}"#;
        assert!(refused(Endpoint::Responses, prompt, "prompt"));
        let plain = r#""prompt": {"id": "p", "variables": {"x": "f"}}"#;
        assert!(!refused(Endpoint::Responses, plain, "prompt"));
    }

    #[test]
    fn what_points_at_nothing_is_no_reference() {
        for more in [
            r#""conversation": null, "prompt": null"#,
            r#""input": "file_id: \"f\"""#,
            r#""input": [{"type": "message", "id": "msg_1", "role": "assistant", "content": []}]"#,
            r#""input": [{"role": "assistant", "id": "msg_1", "content": "a"}]"#,
            r#""input": [{"type": "reasoning", "id": "rs_1", "summary": []}]"#,
            r#""input": [{"type": "function_call", "name": "f", "arguments": "{\"file_id\": 1}"}]"#,
            r#""tools": [{"type": "function", "parameters": {"file_id": "x"}}]"#,
            r#""tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]"#,
            r#""tools": [{"type": "computer_use_preview", "environment": "browser"}]"#,
            r#""input": [{"role": "user", "content": [{"file_id": null, "file_data": "x"}]}]"#,
        ] {
            assert!(!refused(Endpoint::Responses, more, ""), "{more}");
        }
    }

    #[test]
    fn files_of_chats_and_messages_are_references_too() {
        let chat = r#""messages": [{"role": "user", "content": [{"file": {"file_id": "f"}}]}]"#;
        assert!(refused(Endpoint::Chat, chat, ""));
        assert!(!refused(Endpoint::Chat, chat, "file_id"));
        let escaped = r#""messages": [{"content": [{"source": {"file\u005fid": "f"}}]}]"#;
        assert!(refused(Endpoint::Messages, escaped, ""));
        assert!(refused(Endpoint::Messages, r#""container": "c""#, ""));
        let call =
            r#""messages": [{"content": [{"type": "tool_use", "input": {"file_id": "f"}}]}]"#;
        assert!(!refused(Endpoint::Messages, call, ""));
        assert!(!refused(Endpoint::Chat, r#""conversation": "x", "container": "y""#, ""));
    }
}
