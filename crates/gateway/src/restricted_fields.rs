//! Fields by which a body could choose another model, host or credential than the key was checked
//! for.
//!
//! Many OpenAI-compatible servers accept some of these fields. For keys with a list of models or
//! with a budget they would bypass the limit, so they are rejected unless the upstream's
//! configuration lets them pass.

use std::fmt;

use latchkey_domain::limit::{AllowList, ModelName};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::body::{CallBody, eq_ignore_case};
use super::endpoint::Endpoint;
use super::error::GatewayError;

/// Fields that choose the backend or its price.
const ROUTING_FIELDS: [&str; 10] = [
    "models",
    "fallbacks",
    "route",
    "api_base",
    "api_key",
    "custom_llm_provider",
    "extra_body",
    "service_tier",
    "speed",
    "inference_geo",
];
/// Fields that may contain a `model`, directly or in one of their items.
const NESTED_MODEL_FIELDS: [&str; 2] = ["tools", "moderation"];

/// Rejects fields that would bypass the limits of a key. `passes` tells which fields the upstream's
/// configuration lets pass.
///
/// # Errors
/// 400, naming the field.
pub(super) fn check(
    body: &CallBody,
    models: Option<&AllowList<ModelName>>,
    has_budget: bool,
    passes: impl Fn(&str) -> bool,
) -> Result<(), GatewayError> {
    if models.is_none() && !has_budget {
        return Ok(());
    }
    for name in body.names() {
        if let Some(field) = ROUTING_FIELDS.into_iter().find(|field| eq_ignore_case(name, field)) {
            // In speech it is how fast the voice speaks.
            let is_harmless = field == "speed" && body.endpoint == Endpoint::Speech;
            if body.field(name).is_some() && !is_harmless && !passes(field) {
                let message = format!(
                    "This key is restricted, and `{field}` could select another model, host or \
                     credential. Remove it."
                );
                return Err(GatewayError::invalid(field, message));
            }
        } else if let Some(field) =
            NESTED_MODEL_FIELDS.into_iter().find(|field| eq_ignore_case(name, field))
        {
            let Some(value) = body.field(name) else { continue };
            // A form has no need of these fields, and servers read nested ones in many ways.
            if body.is_form() && !passes(field) {
                let message = format!("This key is restricted. Remove `{field}` from the form.");
                return Err(GatewayError::invalid(field, message));
            }
            let mut named = Vec::new();
            // Parsing has already rejected a body that is nested too deeply.
            let _ =
                Models(&mut named, 2).deserialize(&mut serde_json::Deserializer::from_str(value));
            let allowed = |model: &String| {
                models.is_none_or(|list| list.as_slice().iter().any(|one| one.as_str() == model))
            };
            if !named.iter().all(allowed) && !passes(field) {
                let message = format!("This key may not use the model in `{field}`.");
                return Err(GatewayError::invalid(field, message));
            }
        }
    }
    Ok(())
}

/// Collects the values of members named `model`, down to a depth.
struct Models<'a>(&'a mut Vec<String>, u8);

impl<'de> DeserializeSeed<'de> for Models<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.1 == 0 {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Models<'_> {
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
        while parts.next_element_seed(Models(self.0, self.1 - 1))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            if eq_ignore_case(&name, "model") {
                let value = members.next_value::<serde_json::Value>()?;
                self.0.extend(value.as_str().map(str::to_owned));
            } else {
                members.next_value_seed(Models(self.0, self.1 - 1))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(more: &str) -> CallBody {
        let json = format!("{{\"model\": \"m\", \"messages\": [1]{more}}}");
        CallBody::parse(Endpoint::Chat, json.into()).unwrap()
    }

    fn models(list: &[&str]) -> AllowList<ModelName> {
        AllowList::new(list.iter().map(|name| name.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn restricted_key_cannot_use_routing_fields() {
        let limited = models(&["m", "n"]);
        for field in ROUTING_FIELDS {
            for name in [field.to_owned(), field.to_uppercase()] {
                let body = body(&format!(", \"{name}\": 1"));
                assert!(check(&body, Some(&limited), false, |_| false).is_err(), "{name}");
                assert!(check(&body, None, true, |_| false).is_err(), "{name} under a budget");
                assert!(check(&body, None, true, |one| one == field).is_ok(), "{name} may pass");
                assert!(check(&body, None, false, |_| false).is_ok(), "no limit");
            }
            let null = body(&format!(", \"{field}\": null"));
            assert!(
                check(&null, Some(&limited), true, |_| false).is_ok(),
                "{field} that names nothing"
            );
        }
    }

    #[test]
    fn nested_models_are_found() {
        let limited = models(&["m", "n"]);
        for (more, fine) in [
            (r#", "tools": [{"type": "x", "model": "n"}, {"model": "m"}]"#, true),
            (r#", "tools": [{"model": "n", "model": "o"}]"#, false),
            (r#", "tools": [{"MODEL": "o"}]"#, false),
            (r#", "tools": [7, {"function": {"model": "o"}}, {"model": "o"}]"#, false),
            (r#", "tools": [{"function": {"parameters": {"model": {"type": "string"}}}}]"#, true),
            (r#", "moderation": {"model": "o"}"#, false),
            (r#", "moderation": {"model": "m"}, "metadata": {"model": "o"}"#, true),
        ] {
            assert_eq!(
                check(&body(more), Some(&limited), false, |_| false).is_ok(),
                fine,
                "{more}"
            );
        }
    }

    #[test]
    fn forms_are_restricted_as_json_is() {
        use axum::http::header::CONTENT_TYPE;
        use axum::http::{HeaderMap, HeaderValue};

        let limited = models(&["m"]);
        let kind = HeaderValue::from_static("multipart/form-data; boundary=b");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let form = |name: &str| {
            let parts = [("model", "m"), ("file", "x"), (name, "x")].map(|(name, value)| {
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            });
            let form = format!("{}--b--\r\n", parts.concat());
            CallBody::read(Endpoint::Transcriptions, &headers, form.into()).unwrap()
        };
        for name in ["models[]", "Fallbacks", "extra_body[model]", "speed", "tools[0][model]"] {
            assert!(check(&form(name), Some(&limited), false, |_| false).is_err(), "{name}");
            assert!(check(&form(name), None, false, |_| false).is_ok(), "{name} without limits");
        }
        assert!(check(&form("tools"), Some(&limited), true, |field| field == "tools").is_ok());
        assert!(check(&form("language"), Some(&limited), true, |_| false).is_ok());
    }

    #[test]
    fn speed_of_speech_is_no_route() {
        let json = r#"{"model": "m", "input": "a", "speed": 1.5, "service_tier": null}"#;
        let body = CallBody::parse(Endpoint::Speech, json.into()).unwrap();
        assert!(check(&body, Some(&models(&["m"])), true, |_| false).is_ok());
    }
}
