//! The token counts that upstreams report.
//!
//! Servers use two names for each count, write integers, floats or strings, and omit counts that
//! they do not know or write zero.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The largest float below which every whole number is exact.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Reported counts. None if a count is missing or is not a number of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReportedUsage {
    pub(super) prompt: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) total: Option<u64>,
}

impl ReportedUsage {
    /// Parses the value of a member `usage`.
    pub(super) fn read(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }

    /// Removes zeros that stand for "unknown": no prompt is empty, and no completion is if there is
    /// content (`has_content`).
    pub(super) fn without_zeros(self, has_content: bool) -> Self {
        let prompt = self.prompt.filter(|count| *count > 0);
        let completion = self.completion.filter(|count| *count > 0 || !has_content);
        let known = prompt.unwrap_or_default().saturating_add(completion.unwrap_or_default());
        // A total that leaves nothing for the missing count says nothing about it.
        let fills = completion.is_some() || !has_content;
        let total = self.total.filter(|total| *total > 0 && (*total > known || fills));
        Self { prompt, completion, total }
    }

    /// Merges with a later report. The later one wins, and keeps earlier counts that it does not
    /// contain.
    pub(super) fn then(self, newer: Self, has_content: bool) -> Self {
        let newer = newer.without_zeros(has_content);
        if newer == Self::default() {
            return self;
        }
        let completion = newer.completion.or(match newer.total {
            Some(_) => None,
            None => self.completion,
        });
        let prompt = newer.prompt.or(self.prompt);
        Self { prompt, completion, total: newer.total }
    }
}

impl<'de> Deserialize<'de> for ReportedUsage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UsageVisitor)
    }
}

struct UsageVisitor;

impl<'de> Visitor<'de> for UsageVisitor {
    type Value = ReportedUsage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("usage")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ReportedUsage, A::Error> {
        let mut usage = ReportedUsage::default();
        let mut beside = (0, 0);
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            let member = match &*name {
                "prompt_tokens" | "input_tokens" => &mut usage.prompt,
                "completion_tokens" | "output_tokens" => &mut usage.completion,
                "total_tokens" => &mut usage.total,
                "iterations" => {
                    beside = beside_messages(members.next_value()?);
                    continue;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let TokenCount(count) = members.next_value()?;
            // Some servers write one count under both names and set one of them to zero.
            *member = count.max(*member);
        }
        usage.prompt = usage.prompt.map(|count| count.saturating_add(beside.0));
        usage.completion = usage.completion.map(|count| count.saturating_add(beside.1));
        Ok(usage)
    }
}

/// An entry of `iterations`: the usage of one part of the call.
#[derive(Deserialize)]
struct Iteration<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, alias = "prompt_tokens")]
    input_tokens: TokenCount,
    #[serde(default, alias = "completion_tokens")]
    output_tokens: TokenCount,
}

/// Tokens of the entries of `iterations` that the counts beside the list leave out: all but those
/// of type `message`. An invalid list adds nothing.
fn beside_messages(iterations: &RawValue) -> (u64, u64) {
    let iterations: Vec<Iteration> = serde_json::from_str(iterations.get()).unwrap_or_default();
    let others = iterations.into_iter().filter(|iteration| iteration.kind != "message");
    others.fold((0_u64, 0_u64), |(prompt, completion), used| {
        let (TokenCount(input), TokenCount(output)) = (used.input_tokens, used.output_tokens);
        let prompt = prompt.saturating_add(input.unwrap_or_default());
        (prompt, completion.saturating_add(output.unwrap_or_default()))
    })
}

/// Converts a float that is a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a whole number between the bounds"
)]
fn whole(count: f64) -> Option<u64> {
    let is_count = (0.0..=MAX_EXACT_INTEGER).contains(&count) && count.fract() == 0.0;
    is_count.then_some(count as u64)
}

/// A count in any of the accepted forms.
#[derive(Default)]
struct TokenCount(Option<u64>);

impl<'de> Deserialize<'de> for TokenCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TokenCountVisitor).map(Self)
    }
}

struct TokenCountVisitor;

impl<'de> Visitor<'de> for TokenCountVisitor {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Option<u64>, E> {
        Ok(Some(count))
    }

    fn visit_i64<E>(self, count: i64) -> Result<Option<u64>, E> {
        Ok(u64::try_from(count).ok())
    }

    fn visit_f64<E>(self, count: f64) -> Result<Option<u64>, E> {
        Ok(whole(count))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<u64>, E> {
        let text = text.trim();
        match text.parse() {
            Ok(count) => Ok(Some(count)),
            Err(_) => Ok(text.parse().ok().and_then(whole)),
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Option<u64>, A::Error> {
        while parts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<u64>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_besides_messages_are_added() {
        for (iterations, wanted) in [
            (r#"[{"type": "message", "input_tokens": 7, "output_tokens": 3}]"#, (7, 3)),
            (r#"[{"type": "compaction", "input_tokens": 20, "output_tokens": 4.0}]"#, (27, 7)),
            (
                r#"[{"type": "compaction", "input_tokens": 20}, {"type": "message"},
                    {"type": "advisor", "input_tokens": "1", "output_tokens": 2}]"#,
                (28, 5),
            ),
            ("null", (7, 3)),
            ("[7]", (7, 3)),
            ("{}", (7, 3)),
        ] {
            let usage =
                format!(r#"{{"input_tokens": 7, "iterations": {iterations}, "output_tokens": 3}}"#);
            let read = ReportedUsage::read(usage.as_bytes());
            assert_eq!((read.prompt, read.completion), (Some(wanted.0), Some(wanted.1)), "{usage}");
        }
    }

    #[test]
    fn last_report_is_final() {
        let usage = |json: &str| ReportedUsage::read(json.as_bytes());
        let first = usage(r#"{"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}"#);
        let more = usage(r#"{"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}"#);
        assert_eq!(first.then(more, true), more);
        assert_eq!(more.then(first, true), first, "corrected downwards");
        let zeros = usage(r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}"#);
        assert_eq!(more.then(zeros, true), more);
        assert_eq!(more.then(usage("{}"), true), more);
        let sum = more.then(usage(r#"{"total_tokens": 20}"#), true);
        assert_eq!(sum, ReportedUsage { prompt: Some(9), completion: None, total: Some(20) });
        let output = usage(r#"{"output_tokens": 7}"#);
        let both = usage(r#"{"input_tokens": 3, "output_tokens": 1}"#).then(output, true);
        assert_eq!(both, ReportedUsage { prompt: Some(3), completion: Some(7), total: None });
    }
}
