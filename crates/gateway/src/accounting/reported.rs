//! The token counts that upstreams report.
//!
//! Servers use two names for each count, write integers, floats or strings, and omit counts that
//! they do not know or write zero. In OpenAI's form the prompt's count contains the cached tokens,
//! in Anthropic's they are counted beside it.

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
    /// Prompt tokens; see [`Self::whole_prompt`].
    prompt: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) total: Option<u64>,
    /// Prompt tokens that were read from the cache.
    pub(super) cached: Option<u64>,
    /// Prompt tokens that were written to the cache.
    pub(super) cache_written: Option<u64>,
    /// Whether `prompt` leaves out the tokens that were read from or written to the cache.
    is_cache_beside: bool,
}

impl ReportedUsage {
    /// Parses the value of a member `usage`.
    pub(super) fn read(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }

    /// Prompt tokens, including those that were read from or written to the cache.
    pub(super) fn whole_prompt(&self) -> Option<u64> {
        let beside = if self.is_cache_beside { self.cache_tokens() } else { 0 };
        self.prompt.map(|prompt| prompt.saturating_add(beside))
    }

    /// Tokens that were read from and written to the cache.
    pub(super) fn cache_tokens(&self) -> u64 {
        let written = self.cache_written.unwrap_or_default();
        self.cached.unwrap_or_default().saturating_add(written)
    }

    const fn reports_cache(&self) -> bool {
        self.cached.is_some() || self.cache_written.is_some()
    }

    /// Removes zeros that stand for "unknown": no prompt is empty, and no completion is if there is
    /// content (`has_content`). Without a prompt, a zero says nothing of the cache either.
    pub(super) fn without_zeros(self, has_content: bool) -> Self {
        let is_prompt_known = self.whole_prompt().is_some_and(|count| count > 0);
        let cache_count = |count: Option<u64>| count.filter(|count| *count > 0 || is_prompt_known);
        let known = Self {
            prompt: self.prompt.filter(|_| is_prompt_known),
            completion: self.completion.filter(|count| *count > 0 || !has_content),
            total: None,
            cached: cache_count(self.cached),
            cache_written: cache_count(self.cache_written),
            is_cache_beside: false,
        };
        let is_cache_beside = self.is_cache_beside && known.reports_cache();
        let known = Self { is_cache_beside, ..known };
        let prompt = known.whole_prompt().unwrap_or_default();
        let counted = prompt.saturating_add(known.completion.unwrap_or_default());
        // A total that leaves nothing for the missing count says nothing about it.
        let fills = known.completion.is_some() || !has_content;
        let total = self.total.filter(|total| *total > 0 && (*total > counted || fills));
        Self { total, ..known }
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
        let is_cache_beside =
            if newer.reports_cache() { newer.is_cache_beside } else { self.is_cache_beside };
        Self {
            prompt: newer.prompt.or(self.prompt),
            completion,
            total: newer.total,
            cached: newer.cached.or(self.cached),
            cache_written: newer.cache_written.or(self.cache_written),
            is_cache_beside,
        }
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
        let mut counts = UsageMembers::default();
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            let member = match &*name {
                "prompt_tokens" => &mut counts.prompt,
                "input_tokens" => &mut counts.input,
                "completion_tokens" | "output_tokens" => &mut counts.completion,
                "total_tokens" => &mut counts.total,
                "cache_read_input_tokens" => &mut counts.cache_read,
                "cache_creation_input_tokens" => &mut counts.cache_creation,
                "cache_write_tokens" => &mut counts.cache_write,
                "prompt_tokens_details" | "input_tokens_details" => {
                    let details: PromptDetails = read_part(members.next_value()?);
                    counts.cached = details.cached_tokens.0.max(counts.cached);
                    counts.cache_write = details.cache_write_tokens.0.max(counts.cache_write);
                    continue;
                }
                "iterations" => {
                    counts.iterations = read_part(members.next_value()?);
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
        Ok(counts.usage())
    }
}

/// The members of a `usage`, each under its own name.
#[derive(Default)]
struct UsageMembers<'a> {
    prompt: Option<u64>,
    input: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    iterations: Vec<Iteration<'a>>,
}

impl UsageMembers<'_> {
    fn usage(self) -> ReportedUsage {
        let is_counted = |count: Option<u64>| count.is_some_and(|count| count > 0);
        // Servers that translate into OpenAI's form keep Anthropic's names beside it, but their
        // prompt's count contains those tokens.
        let is_cache_beside = (self.cache_read.is_some() || self.cache_creation.is_some())
            && !is_counted(self.prompt)
            && !is_counted(self.cached);
        let usage = ReportedUsage {
            prompt: self.prompt.max(self.input),
            completion: self.completion,
            total: self.total,
            cached: self.cached.max(self.cache_read),
            cache_written: self.cache_write.max(self.cache_creation),
            is_cache_beside,
        };
        // The counts beside the list leave out all its entries but those of type `message`.
        let others = self.iterations.into_iter().filter(|iteration| iteration.kind != "message");
        others.fold(usage, |usage, iteration| iteration.add_to(usage))
    }
}

/// Members of `prompt_tokens_details` that matter.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: TokenCount,
    cache_write_tokens: TokenCount,
}

/// An entry of `iterations`: the usage of one part of the call, in Anthropic's form.
#[derive(Deserialize)]
struct Iteration<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, alias = "prompt_tokens")]
    input_tokens: TokenCount,
    #[serde(default, alias = "completion_tokens")]
    output_tokens: TokenCount,
    #[serde(default)]
    cache_read_input_tokens: TokenCount,
    #[serde(default)]
    cache_creation_input_tokens: TokenCount,
}

impl Iteration<'_> {
    fn add_to(self, usage: ReportedUsage) -> ReportedUsage {
        let read = self.cache_read_input_tokens.0.unwrap_or_default();
        let written = self.cache_creation_input_tokens.0.unwrap_or_default();
        // Where the cache is not counted beside the prompt, the prompt contains it.
        let contained = if usage.is_cache_beside { 0 } else { read.saturating_add(written) };
        let prompt = self.input_tokens.0.unwrap_or_default().saturating_add(contained);
        let completion = self.output_tokens.0.unwrap_or_default();
        let add = |count: Option<u64>, more: u64| count.map(|count| count.saturating_add(more));
        let add_cache = |count: Option<u64>, more: u64| match more {
            0 => count,
            more => Some(count.unwrap_or_default().saturating_add(more)),
        };
        ReportedUsage {
            prompt: add(usage.prompt, prompt),
            completion: add(usage.completion, completion),
            cached: add_cache(usage.cached, read),
            cache_written: add_cache(usage.cache_written, written),
            ..usage
        }
    }
}

/// Parses a part of the usage. An invalid one says nothing.
fn read_part<'a, T: Default + Deserialize<'a>>(part: &'a RawValue) -> T {
    serde_json::from_str(part.get()).unwrap_or_default()
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
        assert_eq!((sum.prompt, sum.completion, sum.total), (Some(9), None, Some(20)));
        let output = usage(r#"{"output_tokens": 7}"#);
        let both = usage(r#"{"input_tokens": 3, "output_tokens": 1}"#).then(output, true);
        assert_eq!((both.prompt, both.completion, both.total), (Some(3), Some(7), None));
    }

    /// The whole prompt, and how much of it was read from and written to the cache.
    fn cache(usage: ReportedUsage) -> (Option<u64>, Option<u64>, Option<u64>) {
        (usage.whole_prompt(), usage.cached, usage.cache_written)
    }

    #[test]
    fn cached_tokens_are_read_in_every_form() {
        for (usage, wanted) in [
            (r#""prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}"#, (9, 4, None)),
            (
                r#""prompt_tokens_details": {"cached_tokens": 4.0}, "prompt_tokens": 9"#,
                (9, 4, None),
            ),
            (r#""input_tokens": 9, "input_tokens_details": {"cached_tokens": "4"}"#, (9, 4, None)),
            (
                r#""prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}"#,
                (9, 4, Some(3)),
            ),
            (
                r#""prompt_tokens": 9, "cache_write_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}"#,
                (9, 4, Some(3)),
            ),
            (
                r#""input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3"#,
                (16, 4, Some(3)),
            ),
            (
                r#""input_tokens": 0, "cache_read_input_tokens": "4", "cache_creation_input_tokens": 0.0"#,
                (4, 4, Some(0)),
            ),
            (
                r#""prompt_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3"#,
                (9, 4, Some(3)),
            ),
            (
                r#""input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "cache_read_input_tokens": 4"#,
                (9, 4, None),
            ),
            (
                r#""input_tokens": 9, "cache_read_input_tokens": 4, "iterations":
                    [{"type": "compaction", "input_tokens": 2, "cache_read_input_tokens": 1,
                      "cache_creation_input_tokens": 5}]"#,
                (21, 5, Some(5)),
            ),
        ] {
            let usage = format!("{{{usage}, \"output_tokens\": 5}}");
            let read = ReportedUsage::read(usage.as_bytes()).without_zeros(true);
            let (prompt, cached, written) = wanted;
            assert_eq!(cache(read), (Some(prompt), Some(cached), written), "{usage}");
            assert_eq!(read.completion, Some(5), "{usage}");
        }
    }

    #[test]
    fn what_is_no_count_of_cached_tokens_is_ignored() {
        for part in [
            r#""prompt_tokens_details": null"#,
            r#""prompt_tokens_details": 7"#,
            r#""prompt_tokens_details": {}"#,
            r#""prompt_tokens_details": {"cached_tokens": null, "audio_tokens": 3}"#,
            r#""prompt_tokens_details": {"cached_tokens": -4}"#,
            r#""prompt_tokens_details": {"cached_tokens": 4.5}"#,
            r#""prompt_tokens_details": {"cached_tokens": {"a": 4}}"#,
            r#""cache_read_input_tokens": null, "cache_creation_input_tokens": null"#,
            r#""cache_read_input_tokens": -1"#,
        ] {
            let usage = format!("{{\"input_tokens\": 9, {part}, \"output_tokens\": 5}}");
            let read = ReportedUsage::read(usage.as_bytes());
            assert_eq!(cache(read), (Some(9), None, None), "{usage}");
            assert_eq!(read.completion, Some(5), "{usage}");
        }
    }

    #[test]
    fn later_report_keeps_what_the_cache_was_counted_as() {
        let usage = |json: &str| ReportedUsage::read(json.as_bytes());
        let start = usage(
            r#"{"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
                "output_tokens": 1}"#,
        );
        let all = (Some(123), Some(100), Some(20));
        for later in [
            r#"{"output_tokens": 9}"#,
            r#"{"input_tokens": 3, "output_tokens": 9}"#,
            r#"{"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 9}"#,
            r#"{"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 9}"#,
        ] {
            let merged = start.then(usage(later), true);
            assert_eq!((cache(merged), merged.completion), (all, Some(9)), "{later}");
        }
        let less = usage(r#"{"input_tokens": 103, "cache_read_input_tokens": 0}"#);
        assert_eq!(cache(start.then(less, true)), (Some(123), Some(0), Some(20)));
    }
}
