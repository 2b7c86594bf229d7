//! What changed: fields before and after.

use std::collections::BTreeMap;

use latchkey_domain::api::AuditChange;
use serde::Serialize;
use serde_json::Value;

/// The fields that an action changed. A field that is the same before and after is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes(BTreeMap<String, AuditChange>);

impl Changes {
    /// With a field that was one thing and is another.
    pub(crate) fn field(
        mut self,
        name: &str,
        before: impl Serialize,
        after: impl Serialize,
    ) -> Self {
        let (before, after) = (to_value(before), to_value(after));
        if before != after {
            self.0.insert(name.to_owned(), AuditChange { before, after });
        }
        self
    }

    /// With a field that was not there before.
    pub(crate) fn set(self, name: &str, value: impl Serialize) -> Self {
        self.field(name, Value::Null, value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the database has it.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// Names, numbers, times and lists of them: all have a JSON form.
fn to_value(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_fields_are_left_out() {
        let changes = Changes::default().field("name", "a", "b").field("rpm", 5, 5).set("tpm", 7);
        assert_eq!(
            changes.to_json(),
            r#"{"name":{"before":"a","after":"b"},"tpm":{"before":null,"after":7}}"#
        );
        assert!(Changes::default().set("rpm", None::<u64>).is_empty());
    }
}
