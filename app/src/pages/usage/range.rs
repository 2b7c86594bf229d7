//! The filters of the usage report. They are part of the URL.

use latchkey_domain::api::UsageGrouping;
use latchkey_domain::id::KeyId;
use latchkey_domain::key::Environment;
use latchkey_domain::usage::UsageRange;
use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::components::attribute_filter::AttributeFilter;
use crate::data::url_filter::{FilterState, UrlFilter};
use latchkey_ui::segmented::{Segment, Segmented, Track};

const RANGES: &[Segment] = &[
    Segment::new(UsageRange::Hour.as_str(), "1h"),
    Segment::new(UsageRange::Day.as_str(), "24h"),
    Segment::new(UsageRange::Week.as_str(), "7d"),
    Segment::new(UsageRange::Month.as_str(), "30d"),
];

/// Filters of the usage report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageFilter {
    /// Time range of the report.
    pub range: UsageRange,
    /// Restricts the report to one key.
    pub key: Option<KeyId>,
    /// Keys of one environment alone.
    pub environment: Option<Environment>,
    /// Only keys with a tag or an external ID.
    pub attributes: AttributeFilter,
    /// What the table below the charts sums up by.
    pub group_by: UsageGrouping,
}

impl UsageFilter {
    /// What the charts depend on.
    #[must_use]
    pub fn of_charts(&self) -> Self {
        Self { group_by: UsageGrouping::default(), ..self.clone() }
    }
}

impl UrlFilter for UsageFilter {
    fn from_query(query: &ParamsMap) -> Self {
        Self {
            range: query.get_str("range").and_then(UsageRange::from_name).unwrap_or_default(),
            key: query.get_str("key").and_then(|key| key.parse().ok()),
            environment: query.get_str("environment").and_then(Environment::from_name),
            attributes: AttributeFilter::from_query(query),
            group_by: query
                .get_str("group_by")
                .and_then(UsageGrouping::from_name)
                .unwrap_or_default(),
        }
    }

    fn to_query(&self) -> String {
        let mut query = ParamsMap::new();
        if self.range != UsageRange::default() {
            query.insert("range", self.range.as_str().to_owned());
        }
        if let Some(key) = self.key {
            query.insert("key", key.to_string());
        }
        if let Some(environment) = self.environment {
            query.insert("environment", environment.as_str().to_owned());
        }
        self.attributes.add_to(&mut query);
        if self.group_by != UsageGrouping::default() {
            query.insert("group_by", self.group_by.as_str().to_owned());
        }
        query.to_query_string()
    }

    fn cleared(&self) -> Self {
        Self::default()
    }
}

/// The filter of the page.
pub type UsageFilterState = FilterState<UsageFilter>;

/// The choice of ranges. On phones it has a line of its own below the title.
#[component]
pub fn RangePicker(
    /// State of the page's filters.
    filter: UsageFilterState,
) -> impl IntoView {
    let range = Signal::derive(move || filter.now.with(|filter| filter.range.as_str()));
    view! {
        <div class="max-md:order-3 max-md:w-full max-md:[&>*]:flex">
            <Segmented
                label="Range"
                options=RANGES
                value=range
                on_change=move |chosen: &'static str| {
                    filter.change(|filter| filter.range = UsageRange::from_name(chosen).unwrap_or_default());
                }
                track=Track::Toolbar
            />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_survives_its_address() {
        let key: KeyId = "key_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let filter = UsageFilter {
            range: UsageRange::Week,
            key: Some(key),
            environment: Some(Environment::Test),
            attributes: AttributeFilter { tag: "beta".parse().ok(), external_id: None },
            group_by: UsageGrouping::Model,
        };
        let key_text = key.to_string();
        let pairs = [
            ("range", "7d"),
            ("key", &key_text),
            ("environment", "test"),
            ("tag", "beta"),
            ("group_by", "model"),
        ];
        let read: ParamsMap =
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!(UsageFilter::from_query(&read), filter);
        // The server escapes the underscore too, the browser does not; both read either.
        let query = filter.to_query().replace("%5F", "_");
        let expected = format!("?range=7d&key={key}&environment=test&tag=beta&group_by=model");
        assert_eq!(query, expected);
        assert_eq!(filter.of_charts().group_by, UsageGrouping::default());
        assert_eq!(UsageFilter::default().to_query(), "");
    }

    #[test]
    fn what_an_address_says_wrong_is_left_out() {
        let wrong =
            [("range", "2h"), ("key", "prj_1"), ("environment", "prod"), ("group_by", "keys")];
        let read: ParamsMap =
            wrong.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        assert_eq!(UsageFilter::from_query(&read), UsageFilter::default());
    }

    #[test]
    fn every_range_can_be_chosen() {
        let all: Vec<&str> = UsageRange::ALL.iter().map(|range| range.as_str()).collect();
        assert_eq!(RANGES.iter().map(|range| range.value).collect::<Vec<_>>(), all);
    }
}
