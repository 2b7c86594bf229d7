//! Times relative to now: “4 min ago”, “Yesterday”, “May 3, 2026”, with the exact time
//! in the tooltip.
//!
//! Server and browser must render the same at first, and their clocks differ. So [`Clock`] starts
//! empty in both, and every time is first written as its date. The browser then updates the clock
//! once a minute.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The browser's time, to the minute; empty on the server and until the page is hydrated.
#[derive(Clone, Copy)]
pub struct Clock(RwSignal<Option<Timestamp>>);

impl Clock {
    /// Starts a clock for everything below the calling component.
    pub fn provide() -> Self {
        let clock = Self(RwSignal::new(None));
        provide_context(clock);
        Effect::new(move || {
            clock.0.set(browser_time());
            let handle = set_interval_with_handle(
                move || clock.0.set(browser_time()),
                Duration::from_secs(MINUTE),
            );
            on_cleanup(move || {
                if let Ok(handle) = handle {
                    handle.clear();
                }
            });
        });
        clock
    }

    /// What the clock shows, tracked.
    pub fn get(self) -> Option<Timestamp> {
        self.0.get()
    }
}

/// The time of this browser; `None` on the server.
pub fn browser_time() -> Option<Timestamp> {
    if is_server() {
        return None;
    }
    Timestamp::parse(&String::from(js_sys::Date::new_0().to_iso_string())).ok()
}

/// A relative time, kept current by the [`Clock`].
#[component]
pub fn RelativeTime(
    /// The point in time.
    time: Timestamp,
) -> impl IntoView {
    let clock = use_context::<Clock>();
    let words = move || match clock.and_then(Clock::get) {
        Some(now) => relative(time, now),
        None => date(time),
    };
    view! { <time datetime=time.to_string() title=exact(time)>{words}</time> }
}

/// Whether `time` is less than 24 hours before `now`.
pub fn is_recent(time: Timestamp, now: Timestamp) -> bool {
    now.since(time).as_secs() < DAY
}

/// `time` as a person who reads it at `now` would say it.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let age = now.since(time).as_secs();
    match age {
        0..MINUTE => "just now".to_owned(),
        MINUTE..HOUR => format!("{} min ago", age / MINUTE),
        HOUR..DAY => format!("{} hr ago", age / HOUR),
        _ if date(time) == date(now - Duration::from_secs(DAY)) => "Yesterday".to_owned(),
        _ => date(time),
    }
}

/// The distance of `time` from `now`: “in 5 days”, “in 3 hr”, “11 days ago”.
pub fn distance(time: Timestamp, now: Timestamp) -> String {
    let ahead = time.since(now).as_secs();
    let behind = now.since(time).as_secs();
    match (ahead, behind) {
        (0, DAY..) => format!("{} ago", days(behind / DAY)),
        (0, _) => relative(time, now),
        (1..HOUR, _) => format!("in {} min", ahead.div_ceil(MINUTE)),
        (HOUR..DAY, _) => format!("in {} hr", ahead / HOUR),
        // Rounded to the nearest day, so that a key created for 90 days says 90.
        _ => format!("in {}", days((ahead + DAY / 2) / DAY)),
    }
}

/// “1 day”, “5 days”.
pub fn days(count: u64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// Whether `time` is at most 7 days after `now`.
pub fn is_soon(time: Timestamp, now: Timestamp) -> bool {
    time > now && time.since(now).as_secs() <= 7 * DAY
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A part of RFC 3339 with a four-digit year, which is all that a Timestamp can be:
/// `2026-05-03T14:32:09…`.
fn part(text: &str, range: std::ops::Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

/// The month's name and the day of the month.
fn month_and_day(text: &str) -> (&'static str, &str) {
    let month = part(text, 5..7).parse::<usize>().ok();
    let month = month.and_then(|month| MONTHS.get(month.checked_sub(1)?).copied());
    (month.unwrap_or("–––"), part(text, 8..10).trim_start_matches('0'))
}

/// The date in UTC, e.g. `May 3, 2026`.
pub fn date(time: Timestamp) -> String {
    let text = time.to_string();
    let (month, day) = month_and_day(&text);
    format!("{} {day}, {}", part(month, 0..3), part(&text, 0..4))
}

/// The day in UTC as a person at `now` would say it: “Today”, “Yesterday”, `May 3, 2026`.
pub fn day(time: Timestamp, now: Option<Timestamp>) -> String {
    let day = date(time);
    match now {
        Some(now) if day == date(now) => "Today".to_owned(),
        Some(now) if day == date(now - Duration::from_secs(DAY)) => "Yesterday".to_owned(),
        _ => day,
    }
}

/// The time of day in UTC to the second: `14:28:03`.
pub fn time_of_day(time: Timestamp) -> String {
    part(&time.to_string(), 11..19).to_owned()
}

/// The time of day in UTC to the minute: `14:28`.
pub fn time_to_the_minute(time: Timestamp) -> String {
    part(&time.to_string(), 11..16).to_owned()
}

/// The day in UTC, where the year goes without saying: `May 3`.
pub fn month_and_day_of(time: Timestamp) -> String {
    let text = time.to_string();
    let (month, day) = month_and_day(&text);
    format!("{} {day}", part(month, 0..3))
}

/// How long it is from `now` until `time`, in its two largest units: “17 d 9 h”, “12 min”.
pub fn time_left(time: Timestamp, now: Timestamp) -> String {
    let left = time.since(now).as_secs().next_multiple_of(MINUTE);
    let (days, hours, minutes) = (left / DAY, left % DAY / HOUR, left % HOUR / MINUTE);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Date and time of day in UTC, for a sentence: `August 12, 2026 at 14:32 UTC`.
pub fn date_and_time(time: Timestamp) -> String {
    let text = time.to_string();
    let (month, day) = month_and_day(&text);
    format!("{month} {day}, {} at {} UTC", part(&text, 0..4), part(&text, 11..16))
}

/// Day and time of day in UTC, where the year goes without saying: `Aug 12, 14:32 UTC`.
pub fn day_and_time(time: Timestamp) -> String {
    let text = time.to_string();
    let (month, day) = month_and_day(&text);
    format!("{} {day}, {} UTC", part(month, 0..3), part(&text, 11..16))
}

/// Date and time in UTC to the second, e.g. `May 3, 2026, 14:32:09 UTC`.
pub fn exact(time: Timestamp) -> String {
    format!("{}, {} UTC", date(time), part(&time.to_string(), 11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = at("2026-11-21T12:00:00Z");
        for (time, words) in [
            ("2026-11-21T12:00:30Z", "just now"),
            ("2026-11-21T11:59:01Z", "just now"),
            ("2026-11-21T11:59:00Z", "1 min ago"),
            ("2026-11-21T11:00:01Z", "59 min ago"),
            ("2026-11-21T11:00:00Z", "1 hr ago"),
            ("2026-11-20T12:00:01Z", "23 hr ago"),
            ("2026-11-20T12:00:00Z", "Yesterday"),
            ("2026-11-20T00:00:00Z", "Yesterday"),
            ("2026-11-19T23:59:59Z", "Nov 19, 2026"),
            ("2026-05-03T14:32:09Z", "May 3, 2026"),
        ] {
            assert_eq!(relative(at(time), now), words, "{time}");
        }
    }

    #[test]
    fn the_exact_time_is_in_utc() {
        let time = at("2026-05-03T16:32:09.5+02:00");
        assert_eq!(exact(time), "May 3, 2026, 14:32:09 UTC");
        assert_eq!(time_of_day(time), "14:32:09");
        assert_eq!(day_and_time(time), "May 3, 14:32 UTC");
        assert_eq!(date_and_time(at("2026-08-12T14:32:09Z")), "August 12, 2026 at 14:32 UTC");
    }

    #[test]
    fn what_lies_ahead_is_counted_too() {
        let now = at("2026-11-21T12:00:00Z");
        for (time, words) in [
            ("2026-11-21T12:00:01Z", "in 1 min"),
            ("2026-11-21T12:59:59Z", "in 60 min"),
            ("2026-11-21T13:00:00Z", "in 1 hr"),
            ("2026-11-22T11:59:59Z", "in 23 hr"),
            ("2026-11-22T12:00:00Z", "in 1 day"),
            ("2026-11-26T11:59:30Z", "in 5 days"),
            ("2027-02-19T11:59:30Z", "in 90 days"),
            ("2026-11-21T12:00:00Z", "just now"),
            ("2026-11-21T09:00:00Z", "3 hr ago"),
            ("2026-11-20T12:00:00Z", "1 day ago"),
            ("2026-11-10T11:00:00Z", "11 days ago"),
        ] {
            assert_eq!(distance(at(time), now), words, "{time}");
        }
    }

    #[test]
    fn what_is_left_is_told_in_two_units() {
        let now = at("2026-11-13T15:00:00Z");
        for (time, words) in [
            ("2026-12-01T00:00:00Z", "17 d 9 h"),
            ("2026-11-14T00:00:30Z", "9 h 1 min"),
            ("2026-11-13T15:12:00Z", "12 min"),
            ("2026-11-13T15:00:00Z", "0 min"),
        ] {
            assert_eq!(time_left(at(time), now), words);
        }
        assert_eq!(time_to_the_minute(now), "15:00");
        assert_eq!(month_and_day_of(now), "Nov 13");
    }

    #[test]
    fn soon_is_within_7_days() {
        let now = at("2026-11-21T12:00:00Z");
        assert!(is_soon(at("2026-11-28T12:00:00Z"), now));
        assert!(!is_soon(at("2026-11-28T12:00:01Z"), now));
        assert!(!is_soon(now, now));
    }

    #[test]
    fn recent_is_under_24_hours() {
        let now = at("2026-11-21T12:00:00Z");
        assert!(is_recent(at("2026-11-20T12:00:01Z"), now));
        assert!(!is_recent(at("2026-11-20T12:00:00Z"), now));
    }
}
