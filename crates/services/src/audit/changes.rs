//! Field values before and after an action.

use std::collections::BTreeMap;

use latchkey_domain::api::AuditChange;
use serde::Serialize;
use serde_json::Value;

/// The fields that an action changed. Fields with equal values before and after are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes(BTreeMap<String, AuditChange>);

impl Changes {
    /// Adds a field with its values before and after.
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

    /// Adds a field that had no value before.
    pub(crate) fn set(self, name: &str, value: impl Serialize) -> Self {
        self.field(name, Value::Null, value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// JSON for the database column.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// Values are names, numbers, times and lists of them, which always serialize.
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
