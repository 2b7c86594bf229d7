//! Generates a value that matches a JSON schema, for structured output of the sandbox.
//!
//! Supports what client libraries generate ([JSON Schema
//! 2020-12](https://json-schema.org/draft/2020-12)): types, enumerations, properties, items,
//! bounds, formats, alternatives and references into the schema itself. The same schema always
//! gives the same value.

use serde_json::{Map, Value, json};

/// Maximum size of a schema, so that the cost of a call is bounded by its size.
pub(super) const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// Maximum number of generated values and characters.
const MAX_GENERATED: usize = 4_096;
/// Maximum depth. References may be circular.
const MAX_DEPTH: usize = 24;

/// A value that matches `schema`. None if it would be too large or none was found.
pub(super) fn value_of(schema: &Value) -> Option<Value> {
    let mut maker = ValueGenerator { root: schema, left: MAX_GENERATED };
    maker.value(schema, 0)
}

struct ValueGenerator<'a> {
    root: &'a Value,
    /// How many values and characters may still be generated.
    left: usize,
}

impl<'a> ValueGenerator<'a> {
    fn take(&mut self, amount: usize) -> Option<()> {
        self.left = self.left.checked_sub(amount)?;
        Some(())
    }

    fn value(&mut self, schema: &'a Value, depth: usize) -> Option<Value> {
        self.take(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        let Value::Object(schema) = schema else {
            // `true` matches anything, `false` nothing.
            return (schema != &json!(false)).then(|| json!({}));
        };
        if let Some(value) = named_value(schema) {
            self.take(value.to_string().len())?;
            return Some(value);
        }
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let target = self.root.pointer(reference.strip_prefix('#')?)?;
            return self.value(target, depth + 1);
        }
        for alternatives in ["anyOf", "oneOf"] {
            if let Some(Value::Array(all)) = schema.get(alternatives) {
                // The first alternative that works: a reference may be circular.
                return all.iter().find_map(|one| self.value(one, depth + 1));
            }
        }
        if let Some(Value::Array(all)) = schema.get("allOf") {
            return self.all_of(all, schema, depth);
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => kinds.first()?.as_str()?,
            _ if schema.contains_key("items") => "array",
            _ => "object",
        };
        match kind {
            "object" => self.object(schema, depth).map(Value::Object),
            "array" => self.array(schema, depth),
            "string" => self.string(schema),
            "integer" => Some(json!(number(schema).ceil())).map(|value| as_integer(&value)),
            "number" => Some(json!(number(schema))),
            "boolean" => Some(json!(true)),
            "null" => Some(Value::Null),
            _ => None,
        }
    }

    fn object(
        &mut self,
        schema: &'a Map<String, Value>,
        depth: usize,
    ) -> Option<Map<String, Value>> {
        let mut object = Map::new();
        let Some(Value::Object(properties)) = schema.get("properties") else { return Some(object) };
        let required = schema.get("required").and_then(Value::as_array);
        for (name, property) in properties {
            let is_required =
                required.is_some_and(|names| names.iter().any(|one| one.as_str() == Some(name)));
            if is_required {
                self.take(name.len())?;
                object.insert(name.clone(), self.value(property, depth + 1)?);
            }
        }
        Some(object)
    }

    /// Merges the members of all objects. The first value that is not an object wins.
    fn all_of(
        &mut self,
        all: &'a [Value],
        schema: &'a Map<String, Value>,
        depth: usize,
    ) -> Option<Value> {
        let mut object = self.object(schema, depth)?;
        for one in all {
            match self.value(one, depth + 1)? {
                Value::Object(more) => object.extend(more),
                other => return Some(other),
            }
        }
        Some(Value::Object(object))
    }

    fn array(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Option<Value> {
        let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or_default();
        let count = usize::try_from(count).ok().filter(|count| *count <= MAX_GENERATED)?;
        let prefix_items = schema.get("prefixItems").and_then(Value::as_array);
        let rest = schema.get("items").unwrap_or(&Value::Bool(true));
        let items = (0..count.max(prefix_items.map_or(0, Vec::len))).map(|index| {
            self.value(prefix_items.and_then(|items| items.get(index)).unwrap_or(rest), depth + 1)
        });
        items.collect::<Option<Vec<Value>>>().map(Value::Array)
    }

    fn string(&mut self, schema: &Map<String, Value>) -> Option<Value> {
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => "2026-01-01T00:00:00Z",
            Some("date") => "2026-01-01",
            Some("time") => "00:00:00Z",
            Some("duration") => "PT1H",
            Some("email") => "sandbox@example.com",
            Some("uuid") => "00000000-0000-4000-8000-000000000000",
            Some("uri" | "url") => "https://example.com/",
            Some("hostname") => "example.com",
            Some("ipv4") => "192.0.2.1",
            Some("ipv6") => "2001:db8::1",
            _ => "sandbox",
        };
        let of = |name: &str| schema.get(name).and_then(Value::as_u64).map(usize::try_from);
        let min = of("minLength").transpose().ok()?.unwrap_or_default();
        let max = of("maxLength").transpose().ok()?.unwrap_or(usize::MAX);
        self.take(text.len().max(min))?;
        let padded = text.chars().chain(std::iter::repeat('x'));
        Some(padded.take(text.len().max(min).min(max)).collect::<String>().into())
    }
}

/// A value that the schema names itself.
fn named_value(schema: &Map<String, Value>) -> Option<Value> {
    let first = |name: &str| schema.get(name)?.as_array()?.first().cloned();
    let named = schema.get("const").cloned().or_else(|| first("enum"));
    named.or_else(|| schema.get("default").cloned()).or_else(|| first("examples"))
}

/// The number within the bounds that is nearest to zero from above, or the minimum.
fn number(schema: &Map<String, Value>) -> f64 {
    let of = |name: &str| schema.get(name).and_then(Value::as_f64);
    let step = of("multipleOf").filter(|step| *step > 0.0);
    let min = of("minimum").or_else(|| of("exclusiveMinimum").map(|min| min + step.unwrap_or(1.0)));
    let max = of("maximum").or_else(|| of("exclusiveMaximum").map(|max| max - step.unwrap_or(1.0)));
    let value = min.unwrap_or_default().min(max.unwrap_or(f64::MAX));
    step.map_or(value, |step| (value / step).ceil() * step)
}

/// A whole number without a decimal point.
fn as_integer(number: &Value) -> Value {
    let text = number.to_string();
    let text = text.strip_suffix(".0").unwrap_or(&text);
    serde_json::from_str(text).unwrap_or_else(|_| json!(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_their_schema() {
        for (schema, wanted) in [
            (json!({ "type": "string" }), json!("sandbox")),
            (json!({ "type": "string", "minLength": 9 }), json!("sandboxxx")),
            (json!({ "type": "string", "maxLength": 3 }), json!("san")),
            (json!({ "type": "string", "format": "date" }), json!("2026-01-01")),
            (json!({ "enum": ["b", "a"] }), json!("b")),
            (json!({ "const": 7 }), json!(7)),
            (json!({ "type": "integer" }), json!(0)),
            (json!({ "type": "integer", "minimum": 3, "multipleOf": 2 }), json!(4)),
            (json!({ "type": "integer", "exclusiveMinimum": 3 }), json!(4)),
            (json!({ "type": "number", "maximum": -1.5 }), json!(-1.5)),
            (json!({ "type": ["null", "string"] }), json!(null)),
            (json!({ "type": "array", "items": { "type": "boolean" } }), json!([])),
            (
                json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2 }),
                json!([true, true]),
            ),
            (json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }), json!(0)),
            (
                json!({
                    "type": "object", "required": ["a", "b"],
                    "properties": { "a": { "$ref": "#/$defs/A" }, "b": { "type": "string" }, "c": {} },
                    "$defs": { "A": { "type": "object", "properties": { "x": { "type": "integer" } }, "required": ["x"] } },
                }),
                json!({ "a": { "x": 0 }, "b": "sandbox" }),
            ),
            (
                json!({ "allOf": [{ "properties": { "a": { "type": "null" } }, "required": ["a"] }],
                    "properties": { "b": { "const": 1 } }, "required": ["b"] }),
                json!({ "a": null, "b": 1 }),
            ),
            (json!({}), json!({})),
        ] {
            assert_eq!(value_of(&schema), Some(wanted), "{schema}");
        }
    }

    #[test]
    fn circular_and_large_schemas_end() {
        let tree = json!({
            "$ref": "#/$defs/T",
            "$defs": { "T": { "type": "object", "required": ["next"],
                "properties": { "next": { "anyOf": [{ "$ref": "#/$defs/T" }, { "type": "null" }] } } } },
        });
        let value = value_of(&tree).unwrap();
        assert!(value["next"].is_object(), "as deep as may be, and then null");
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "$ref": "#/$defs/none" }),
            json!({ "type": "string", "minLength": 1_000_000_000 }),
            json!({ "type": "array", "minItems": 1_000_000_000, "items": {} }),
            json!({ "type": "strange" }),
            json!(false),
        ] {
            assert_eq!(value_of(&schema), None, "{schema}");
        }
        let wide = json!({ "type": "array", "minItems": 70, "items": { "type": "array", "minItems": 70, "items": {} } });
        assert_eq!(value_of(&wide), None);
    }
}
