//! What groups of usage are called.

use latchkey_domain::api::{GroupedUsage, UsageGrouping};

use latchkey_ui::thousands;

/// What usage is grouped by, as a tab and as the head of a column.
pub const fn label_of(by: UsageGrouping) -> &'static str {
    match by {
        UsageGrouping::Key => "Key",
        UsageGrouping::Model => "Model",
        UsageGrouping::Application => "Application",
        UsageGrouping::ExternalId => "External ID",
        UsageGrouping::Tag => "Tag",
    }
}

/// The grouping of a tab.
pub fn grouping_of(label: &str) -> UsageGrouping {
    UsageGrouping::ALL.into_iter().find(|by| label_of(*by) == label).unwrap_or_default()
}

/// The group of the requests that have none.
pub const fn none_of(by: UsageGrouping) -> &'static str {
    match by {
        UsageGrouping::Key => "No key",
        UsageGrouping::Model => "No model",
        UsageGrouping::Application => "No application",
        UsageGrouping::ExternalId => "No external ID",
        UsageGrouping::Tag => "No tag",
    }
}

/// “1 group”, “3 groups”.
pub fn count_in_words(groups: usize) -> String {
    match groups {
        1 => "1 group".to_owned(),
        groups => format!("{} groups", thousands(groups as u64)),
    }
}

/// What a reader of the table has to know: which groups are missing, and what a group is.
pub fn note_of(by: UsageGrouping, groups: usize) -> String {
    let most = thousands(GroupedUsage::MAX_GROUPS as u64);
    let full = (groups >= GroupedUsage::MAX_GROUPS)
        .then(|| format!("Only the {most} groups with most requests are listed."));
    let about = match by {
        UsageGrouping::Key => None,
        UsageGrouping::Model => {
            Some("Requests for a model that the gateway doesn’t have count as “No model”.")
        }
        UsageGrouping::Application | UsageGrouping::ExternalId => {
            Some("All requests of a key count under what it has now.")
        }
        UsageGrouping::Tag => Some(
            "All requests of a key count under the tags that it has now, under each of them if \
             there are several.",
        ),
    };
    full.as_deref().into_iter().chain(about).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grouping_has_a_label_of_its_own() {
        for by in UsageGrouping::ALL {
            assert_eq!(grouping_of(label_of(by)), by);
        }
    }

    #[test]
    fn groups_are_counted_in_words() {
        assert_eq!(count_in_words(0), "0 groups");
        assert_eq!(count_in_words(1), "1 group");
        assert_eq!(count_in_words(1_000), "1,000 groups");
    }

    #[test]
    fn note_says_that_the_table_is_full() {
        assert_eq!(note_of(UsageGrouping::Key, 999), "");
        let full = "Only the 1,000 groups with most requests are listed.";
        assert_eq!(note_of(UsageGrouping::Key, 1_000), full);
        let note = note_of(UsageGrouping::ExternalId, 1_000);
        assert!(note.starts_with(full) && note.ends_with("what it has now."), "{note}");
    }
}
