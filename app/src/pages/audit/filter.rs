//! The filters of the audit log. They are part of the URL, so that a link shows the same events.

use std::time::Duration;

use latchkey_domain::api::AuditFilter;
use latchkey_domain::audit::AuditAction;
use latchkey_domain::id::OrganizationId;
use latchkey_domain::query::QueryText;
use latchkey_domain::time::Timestamp;
use leptos_router::params::ParamsMap;

use crate::data::url_filter::{FilterState, UrlFilter};

/// How far back the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Period {
    /// The last 24 hours.
    Day,
    /// The last 7 days.
    Week,
    /// The last 30 days.
    #[default]
    Month,
    /// The whole log, without a limit.
    AllTime,
}

impl Period {
    /// All periods, the shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::AllTime];

    /// Its name in the URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::AllTime => "all",
        }
    }

    /// The period of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// Its label on the page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Day => "Last 24 hours",
            Self::Week => "Last 7 days",
            Self::Month => "Last 30 days",
            Self::AllTime => "All time",
        }
    }

    /// Start of the period, for a user who looks at `now`.
    fn begins(self, now: Timestamp) -> Option<Timestamp> {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::AllTime => return None,
        };
        Some(now - Duration::from_hours(24 * days))
    }
}

/// Which events are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsFilter {
    /// Those of one actor: an id, a login, or `system`.
    pub actor: Option<String>,
    /// Those of one action.
    pub action: Option<AuditAction>,
    /// Those of this time.
    pub period: Period,
}

impl EventsFilter {
    /// The filter of the API, for a user who looks at `now`.
    pub fn for_server(&self, now: Option<Timestamp>) -> AuditFilter {
        AuditFilter {
            actor: self.actor.as_deref().and_then(QueryText::fitting),
            action: self.action,
            from: now.and_then(|now| self.period.begins(now)),
            to: None,
        }
    }

    /// Path of the CSV export.
    pub fn export_path(&self, organization: OrganizationId, now: Option<Timestamp>) -> String {
        let AuditFilter { actor, action, from, .. } = self.for_server(now);
        let mut query = ParamsMap::new();
        let given = [
            ("actor", actor.map(|actor| actor.to_string())),
            ("action", action.map(|action| action.as_str().to_owned())),
            ("from", from.map(|from| from.to_string())),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                query.insert(name, value);
            }
        }
        format!("/v1/organizations/{organization}/audit.csv{}", query.to_query_string())
    }
}

impl UrlFilter for EventsFilter {
    fn from_query(query: &ParamsMap) -> Self {
        let actor = query.get("actor").map(|actor| actor.trim().to_owned());
        Self {
            actor: actor.filter(|actor| !actor.is_empty()),
            action: query.get_str("action").and_then(AuditAction::from_code),
            period: query.get_str("period").and_then(Period::from_name).unwrap_or_default(),
        }
    }

    fn to_query(&self) -> String {
        let mut query = ParamsMap::new();
        if let Some(actor) = &self.actor {
            query.insert("actor", actor.clone());
        }
        if let Some(action) = self.action {
            query.insert("action", action.as_str().to_owned());
        }
        if self.period != Period::default() {
            query.insert("period", self.period.name().to_owned());
        }
        query.to_query_string()
    }

    fn cleared(&self) -> Self {
        Self { period: Period::AllTime, ..Self::default() }
    }
}

/// The filter of the page.
pub type EventsFilterState = FilterState<EventsFilter>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::url_filter::tests::{query, readable};

    const USER: &str = "usr_01h455vb4pex5vsknk084sn02q";

    #[test]
    fn a_filter_survives_its_address() {
        let filter = EventsFilter {
            actor: Some(USER.to_owned()),
            action: Some(AuditAction::KeyRevoked),
            period: Period::Week,
        };
        let expected = format!("?actor={USER}&action=key.revoked&period=7d");
        assert_eq!(readable(&filter.to_query()), expected);
        let read = query(&[("actor", USER), ("action", "key.revoked"), ("period", "7d")]);
        assert_eq!(EventsFilter::from_query(&read), filter);
        assert_eq!(EventsFilter::default().to_query(), "");
    }

    #[test]
    fn what_an_address_says_wrong_is_left_out() {
        let read = query(&[("actor", " "), ("action", "key.stolen"), ("period", "1y"), ("x", "y")]);
        assert_eq!(EventsFilter::from_query(&read), EventsFilter::default());
    }

    #[test]
    fn a_period_ends_now() {
        let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        let from =
            |period| EventsFilter { period, ..EventsFilter::default() }.for_server(Some(now)).from;
        assert_eq!(from(Period::Day), Timestamp::parse("2026-11-20T12:00:00Z").ok());
        assert_eq!(from(Period::Month), Timestamp::parse("2026-10-22T12:00:00Z").ok());
        assert_eq!(from(Period::AllTime), None);
    }

    #[test]
    fn the_export_has_the_filter_of_the_page() {
        let now = Timestamp::parse("2026-11-21T12:00:00Z").ok();
        let organization: OrganizationId = "org_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let filter = EventsFilter {
            actor: Some("a&b".to_owned()),
            action: Some(AuditAction::KeyCreated),
            period: Period::Day,
        };
        assert_eq!(
            readable(&filter.export_path(organization, now)),
            "/v1/organizations/org_01h455vb4pex5vsknk084sn02q/audit.csv\
            ?actor=a%26b&action=key.created&from=2026-11-20T12:00:00.000Z"
        );
        let all = EventsFilter { period: Period::AllTime, ..EventsFilter::default() };
        assert!(all.export_path(organization, now).ends_with("/audit.csv"));
    }
}
