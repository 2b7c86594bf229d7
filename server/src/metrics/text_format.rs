//! Prometheus' text format 0.0.4, for readers that don't ask for OpenMetrics.
//!
//! The two differ in little, but each refuses the other's: the older one has `_total` in the name
//! of a counter's family, and knows neither units nor an end.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::HashSet;
use std::fmt::Write;

pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether a reader asks for OpenMetrics.
pub(super) fn wants_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").map(str::parse::<f32>);
            matches!(weight, Some(Ok(weight)) if weight <= 0.0)
        });
        kind.eq_ignore_ascii_case("application/openmetrics-text") && !refused
    })
}

/// The same metrics in the older format.
pub(super) fn of_open_metrics(text: &str) -> String {
    let counters: HashSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut older = String::with_capacity(text.len());
    for line in text.lines() {
        let described = ["# HELP ", "# TYPE "].into_iter().find_map(|start| {
            let (name, rest) = line.strip_prefix(start)?.split_once(' ')?;
            Some((start, name, rest))
        });
        // Writing to a String can't fail.
        let _ = match described {
            Some((start, name, rest)) if counters.contains(name) => {
                writeln!(older, "{start}{name}_total {rest}")
            }
            None if line.starts_with('#') => Ok(()),
            _ => writeln!(older, "{line}"),
        };
    }
    older
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_who_asks_for_it() {
        for accept in [
            "application/openmetrics-text",
            "text/plain;q=0.5, application/openmetrics-text; version=1.0.0;q=0.75",
        ] {
            assert!(wants_open_metrics(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain;version=0.0.4;q=1,*/*;q=0.1",
            "application/openmetrics-text;q=0",
        ] {
            assert!(!wants_open_metrics(accept), "{accept}");
        }
    }

    #[test]
    fn counters_are_named_with_their_ending() {
        let open = "# HELP a_checks Checks.\n# TYPE a_checks counter\na_checks_total{x=\"1\"} 2\n\
                    # HELP a_time_seconds How long.\n# TYPE a_time_seconds histogram\n\
                    # UNIT a_time_seconds seconds\na_time_seconds_bucket{le=\"+Inf\"} 1\n\
                    # HELP a_up Up.\n# TYPE a_up gauge\na_up 1\n# EOF\n";
        let older = "# HELP a_checks_total Checks.\n# TYPE a_checks_total counter\n\
                     a_checks_total{x=\"1\"} 2\n# HELP a_time_seconds How long.\n\
                     # TYPE a_time_seconds histogram\na_time_seconds_bucket{le=\"+Inf\"} 1\n\
                     # HELP a_up Up.\n# TYPE a_up gauge\na_up 1\n";
        assert_eq!(of_open_metrics(open), older);
    }
}
