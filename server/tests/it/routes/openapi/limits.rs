//! `/openapi.json` says of every text and number that is sent how long or large it may be.

use serde_json::Value;

/// A walk through what is sent or answered, each schema once a place.
struct Walk<'a> {
    schemas: &'a Value,
    is_sent: bool,
    faults: Vec<String>,
}

impl Walk<'_> {
    fn look_at(&mut self, schema: &Value, place: &str, above: &[&str]) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            if !above.contains(&name) {
                let above: Vec<_> = above.iter().copied().chain([name]).collect();
                let named = self.schemas[name].clone();
                self.look_at(&named, name, &above);
            }
            return;
        }
        for some in ["oneOf", "anyOf", "allOf"] {
            for one in schema[some].as_array().into_iter().flatten() {
                self.look_at(one, place, above);
            }
        }
        let is = |kind: &str| match &schema["type"] {
            Value::Array(kinds) => kinds.contains(&kind.into()),
            one => one == kind,
        };
        if self.is_sent && is("string") && !is_limited_text(schema) {
            self.faults.push(format!("{place}: no maxLength"));
        }
        if is("integer") {
            let is_limited = schema["minimum"].is_number() && schema["maximum"].is_number();
            // What a call to the gateway asks for is the upstream's to judge.
            if self.is_sent && !is_limited && !place.contains("/completions") {
                self.faults.push(format!("{place}: no minimum or no maximum"));
            }
            if !self.is_sent && !schema["format"].is_string() && !schema["maximum"].is_number() {
                self.faults.push(format!("{place}: neither format nor maximum"));
            }
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            self.look_at(part, &format!("{place}.{name}"), above);
        }
        for parts in ["items", "additionalProperties"] {
            if schema[parts].is_object() {
                self.look_at(&schema[parts], &format!("{place}[]"), above);
            }
        }
    }
}

/// Where a sign-in leads to and what GitHub says of it: nobody is left without a page because it is
/// too long, it leads to the first page or to the login.
fn is_never_refused(parameter: &Value) -> bool {
    parameter["in"] == "query"
        && ["next", "code", "error", "state"].iter().any(|name| parameter["name"] == *name)
}

fn is_limited_text(schema: &Value) -> bool {
    // Each star, plus or open repetition of a pattern goes on without an end.
    let is_endless = |pattern: &str| pattern.contains(['*', '+']) || pattern.contains(",}");
    let is_anchored = |pattern: &str| pattern.starts_with('^') && pattern.ends_with('$');
    schema["maxLength"].is_number()
        || schema["enum"].is_array()
        || schema["const"].is_string()
        || matches!(schema["format"].as_str(), Some("date-time" | "ip" | "cidr" | "binary"))
        || schema["pattern"].as_str().is_some_and(|it| is_anchored(it) && !is_endless(it))
}

#[test]
fn openapi_says_how_long_and_how_large_everything_may_be() {
    let document = serde_json::to_value(latchkey_server::openapi()).unwrap();
    let walk =
        |is_sent| Walk { schemas: &document["components"]["schemas"], is_sent, faults: Vec::new() };
    let (mut sent, mut answered) = (walk(true), walk(false));
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if is_never_refused(parameter) {
                    continue;
                }
                let place = format!("{place} {}", parameter["name"]);
                sent.look_at(&parameter["schema"], &place, &[]);
            }
            let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
            for (_, body) in bodies {
                sent.look_at(&body["schema"], &place, &[]);
            }
            for (_, answer) in operation["responses"].as_object().unwrap() {
                for (_, body) in answer["content"].as_object().into_iter().flatten() {
                    answered.look_at(&body["schema"], &place, &[]);
                }
            }
        }
    }
    assert_eq!(sent.faults, [""; 0]);
    assert_eq!(answered.faults, [""; 0]);
}
