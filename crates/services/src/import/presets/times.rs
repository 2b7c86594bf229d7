//! Times as the exports of other systems write them.

use latchkey_domain::time::Timestamp;

/// What [`parse`] reads, as a person is told it.
pub(super) const FORMS: &str =
    "Use a time such as 2026-11-21T07:45:53Z, or a number of seconds or milliseconds since 1970.";

/// Whether a text is what MySQL, Go or a column that is never null writes for no time at all.
pub(super) fn is_zero(text: &str) -> bool {
    text == "0" || text.starts_with("0000-00-00") || text.starts_with("0001-01-01")
}

/// Parses RFC 3339, what SQL databases write (a space for the `T`, a zone in short or none, which
/// is UTC), and numbers since 1970: seconds up to 11 digits, milliseconds up to 14, microseconds up
/// to 17.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(whole) && digits(fraction) {
        let number: i64 = whole.parse().ok()?;
        return match whole.len() {
            1..=11 => Some(Timestamp::from_millis(number.checked_mul(1_000)?)),
            12..=14 => Some(Timestamp::from_millis(number)),
            15..=17 => Some(Timestamp::from_millis(number / 1_000)),
            _ => None,
        };
    }
    let (date, rest) = text.split_at_checked(10)?;
    let Some(clock) = rest.strip_prefix(['T', 't', ' ']) else {
        let midnight = rest.is_empty().then(|| format!("{date}T00:00:00Z"))?;
        return Timestamp::parse(&midnight).ok();
    };
    let clock = clock.strip_suffix("UTC").map_or(clock, str::trim_end);
    let (time, zone) = match clock.find(['+', '-', 'Z', 'z']) {
        Some(start) => clock.split_at_checked(start)?,
        None => (clock, "Z"),
    };
    let zone = match zone.len() {
        3 => format!("{zone}:00"),
        5 => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => zone.to_owned(),
    };
    Timestamp::parse(&format!("{date}T{}{zone}", time.trim_end())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_of_databases() {
        for text in [
            "2026-11-30T14:47:33.120Z",
            "2026-11-30T14:47:33.120456+00:00",
            "2026-11-30T15:47:33.12+01:00",
            "2026-11-30 14:47:33.120",
            "2026-11-30 14:47:33.120456",
            "2026-11-30 14:47:33.120456+00",
            "2026-11-30 09:47:33.120 -0500",
            "2026-11-30 14:47:33.120 UTC",
            "2026-11-30 14:47:33.120Z",
            "1796050053120",
            "1796050053120.0",
            "1796050053120456",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), "2026-11-30T14:47:33.120Z", "{text}");
        }
        assert_eq!(parse("1796050053").unwrap().to_string(), "2026-11-30T14:47:33.000Z");
        assert_eq!(parse("2026-11-30").unwrap().to_string(), "2026-11-30T00:00:00.000Z");
    }

    #[test]
    fn other_times_are_refused() {
        for text in [
            "",
            ".",
            "now",
            "infinity",
            "30.11.2026",
            "2026-11-30x",
            "é026-11-30",
            "Mon Nov 30 2026",
            "123456789012345678",
            "2026-13-01 00:00:00",
            "2026-11-30 14:47:33 CET",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(is_zero("0") && is_zero("0000-00-00 00:00:00") && is_zero("0001-01-01T00:00:00Z"));
        assert!(!is_zero("2026-11-30"));
    }
}
