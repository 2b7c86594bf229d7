//! The filters of the list of keys. They are part of the URL, so that a link shows the same list.

use latchkey_domain::api::{KeyFilter, KeySort};
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::query::QueryText;
use leptos_router::params::ParamsMap;

use crate::components::attribute_filter::AttributeFilter;
use crate::data::list_rows::Order;
use crate::data::url_filter::{FilterState, UrlFilter};

/// Which keys are listed, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeysFilter {
    /// Text that the name, id or masked secret contains.
    pub q: String,
    /// Only live or test keys.
    pub environment: Option<Environment>,
    /// Only keys in this state.
    pub status: Option<KeyStatus>,
    /// Only keys with a tag or an external ID.
    pub attributes: AttributeFilter,
    /// Whether archived keys are shown.
    pub archived: bool,
    /// Sort order of the list.
    pub sort: KeySort,
}

/// The states to filter by: their names in the URL and their labels.
pub const STATUSES: [(&str, &str, KeyStatus); 4] = [
    ("active", "Active", KeyStatus::Active),
    ("disabled", "Disabled", KeyStatus::Disabled),
    ("expired", "Expired", KeyStatus::Expired),
    ("revoked", "Revoked", KeyStatus::Revoked),
];

/// Name of the order by last use in the URL; the default order is left out.
pub const LAST_USED: &str = "last_used";

impl KeysFilter {
    /// Name of the state in the URL.
    pub fn status_name(&self) -> Option<&'static str> {
        STATUSES.iter().find(|(.., status)| self.status == Some(*status)).map(|(name, ..)| *name)
    }

    /// As the server takes it, for keys of that kind.
    pub fn for_server(&self, kind: KeyKind) -> KeyFilter {
        KeyFilter {
            kind: Some(kind),
            environment: self.environment,
            status: self.status,
            application_id: None,
            external_id: self.attributes.external_id.clone(),
            tag: self.attributes.tag.clone(),
            archived: self.archived,
            q: QueryText::fitting(&self.q),
            sort: self.sort,
        }
    }

    /// Whether it leaves keys out that could be listed.
    pub fn is_narrow(&self) -> bool {
        !self.q.is_empty()
            || self.environment.is_some()
            || self.status.is_some()
            || !self.attributes.is_empty()
    }

    /// The order that the rows come in.
    pub fn order(&self) -> Order {
        match self.sort {
            KeySort::Created => Order::Newest,
            KeySort::LastUsed => Order::Changing,
        }
    }
}

impl UrlFilter for KeysFilter {
    fn from_query(query: &ParamsMap) -> Self {
        let named = |status: &str| STATUSES.iter().find(|(name, ..)| *name == status);
        Self {
            q: query.get("q").map(|q| q.trim().to_owned()).unwrap_or_default(),
            environment: query.get_str("environment").and_then(Environment::from_name),
            status: query.get_str("status").and_then(named).map(|(.., status)| *status),
            attributes: AttributeFilter::from_query(query),
            archived: query.get_str("archived") == Some("true"),
            sort: match query.get_str("sort") {
                Some(LAST_USED) => KeySort::LastUsed,
                _ => KeySort::Created,
            },
        }
    }

    fn to_query(&self) -> String {
        let mut query = ParamsMap::new();
        if !self.q.is_empty() {
            query.insert("q", self.q.clone());
        }
        if let Some(environment) = self.environment {
            query.insert("environment", environment.as_str().to_owned());
        }
        if let Some(status) = self.status_name() {
            query.insert("status", status.to_owned());
        }
        self.attributes.add_to(&mut query);
        if self.archived {
            query.insert("archived", "true".to_owned());
        }
        if self.sort == KeySort::LastUsed {
            query.insert("sort", LAST_USED.to_owned());
        }
        query.to_query_string()
    }

    fn cleared(&self) -> Self {
        Self { archived: self.archived, sort: self.sort, ..Self::default() }
    }
}

/// The filter of the page.
pub type KeysFilterState = FilterState<KeysFilter>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::url_filter::tests::query;

    #[test]
    fn a_filter_survives_its_address() {
        let filter = KeysFilter {
            q: "Web & co".to_owned(),
            environment: Some(Environment::Test),
            status: Some(KeyStatus::Expired),
            attributes: AttributeFilter {
                tag: "beta".parse().ok(),
                external_id: "cust42".parse().ok(),
            },
            archived: true,
            sort: KeySort::LastUsed,
        };
        // The server escapes the underscore too, the browser does not; both read either.
        assert_eq!(
            filter.to_query().replace("%5F", "_"),
            "?q=Web%20%26%20co&environment=test&status=expired&tag=beta&external_id=cust42\
             &archived=true&sort=last_used"
        );
        let read = query(&[
            ("q", "Web & co"),
            ("environment", "test"),
            ("status", "expired"),
            ("tag", "beta"),
            ("external_id", "cust42"),
            ("archived", "true"),
            ("sort", "last_used"),
        ]);
        assert_eq!(KeysFilter::from_query(&read), filter);
        assert_eq!(KeysFilter::default().to_query(), "");
    }

    #[test]
    fn what_an_address_says_wrong_is_left_out() {
        let read = query(&[
            ("environment", "prod"),
            ("status", "gone"),
            ("tag", ""),
            ("external_id", "a b"),
            ("archived", "1"),
            ("sort", "name"),
            ("other", "x"),
        ]);
        assert_eq!(KeysFilter::from_query(&read), KeysFilter::default());
    }

    #[test]
    fn only_what_leaves_keys_out_is_narrow() {
        assert!(
            !KeysFilter { archived: true, sort: KeySort::LastUsed, ..KeysFilter::default() }
                .is_narrow()
        );
        assert!(KeysFilter { q: "a".into(), ..KeysFilter::default() }.is_narrow());
        assert!(
            KeysFilter { status: Some(KeyStatus::Active), ..KeysFilter::default() }.is_narrow()
        );
    }
}
