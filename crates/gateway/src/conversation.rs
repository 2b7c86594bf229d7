//! Which upstream has had a conversation.
//!
//! Where several upstreams serve a model, the calls of a conversation belong together: an upstream
//! has its prompt cached, and only the one that made a state can read it. Requests carry values
//! that stay the same throughout a conversation, or that a previous answer has given them.
//!
//! A node remembers the upstream of each value for a while. For a value that it does not know, each
//! upstream has a score that depends on nothing but the value and the upstream, so that all nodes
//! choose the same one, and a change of the list moves few conversations (rendezvous hashing).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue};
use latchkey_domain::id::ProjectId;
use sha2::{Digest, Sha256};

/// Header of an answer and of the requests that follow it.
pub(super) const TURN_STATE: &str = "x-codex-turn-state";
/// Request fields, after the header above. The first is made by an upstream.
const FIELDS: [&str; 2] = ["previous_response_id", "prompt_cache_key"];
/// Request headers, after the fields.
const HEADERS: [&str; 3] = ["x-session-affinity", "session-id", "x-claude-code-session-id"];
/// Number of values that a generation of the memory holds. There are two.
const GENERATION: usize = 16_384;

/// The conversation of a call.
#[derive(Debug)]
pub(super) struct Conversation {
    project: ProjectId,
    /// Hashes of its values, in the order of their precedence.
    values: Vec<u64>,
    /// Hash of the value that decides if the upstream is not known.
    key: u64,
    /// Name of the upstream that had it.
    upstream: Option<Arc<str>>,
}

impl Conversation {
    /// The conversation of a request, if it says which. `field` finds a field of its body, as JSON.
    pub(super) fn of<'a>(
        project: ProjectId,
        headers: &HeaderMap,
        field: impl Fn(&str) -> Option<&'a str>,
        memory: &ConversationMemory,
    ) -> Option<Self> {
        let header = |name: &'static str| {
            let value = headers.get(name).map(HeaderValue::as_bytes);
            (name, value.filter(|value| !value.is_empty()))
        };
        let of_body = |name: &'static str| {
            let value = field(name).filter(|value| !matches!(*value, "null" | "\"\""));
            (name, value.map(str::as_bytes))
        };
        let named = std::iter::once(header(TURN_STATE))
            .chain(FIELDS.map(of_body))
            .chain(HEADERS.map(header))
            .filter_map(|(name, value)| Some((name, hash(project, name, value?))));
        let named: Vec<(&str, u64)> = named.collect();
        // A value that an upstream has made is new after each answer. Where it is not known, the
        // client's own values lead to the upstream that had the conversation from the beginning.
        let is_of_client = |(name, _): &&(&str, u64)| *name != TURN_STATE && *name != FIELDS[0];
        let (_, key) = *named.iter().find(is_of_client).or_else(|| named.first())?;
        let values: Vec<u64> = named.into_iter().map(|(_, value)| value).collect();
        let upstream = values.iter().find_map(|value| memory.upstream(*value));
        Some(Self { project, values, key, upstream })
    }

    /// Name of the upstream that had it, if this node knows.
    pub(super) fn upstream(&self) -> Option<&str> {
        self.upstream.as_deref()
    }

    /// Score of an upstream. The one with the highest score has the conversation. With these scores
    /// each upstream has a share of all conversations by its weight.
    pub(super) fn score(&self, upstream: &str, weight: u32) -> f64 {
        let mixed = mix(self.key ^ digest(&[upstream.as_bytes()]));
        let upper = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
        let fraction = (f64::from(upper) + 0.5) / (f64::from(u32::MAX) + 1.0);
        -f64::from(weight) / fraction.ln()
    }
}

/// The upstreams of recent conversations. Bounded: the older half is forgotten when the newer one
/// is full.
#[derive(Default)]
pub(super) struct ConversationMemory(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    newer: HashMap<u64, Arc<str>>,
    older: HashMap<u64, Arc<str>>,
}

impl ConversationMemory {
    /// Remembers which upstream answered a call. `turn_state` is the state that it has given to the
    /// conversation.
    pub(super) fn remember(
        &self,
        conversation: &Conversation,
        upstream: &str,
        turn_state: Option<&[u8]>,
    ) {
        let made = turn_state.map(|state| hash(conversation.project, TURN_STATE, state));
        let name: Arc<str> = match &conversation.upstream {
            Some(known) if **known == *upstream => Arc::clone(known),
            _ => Arc::from(upstream),
        };
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for value in conversation.values.iter().copied().chain(made) {
            if generations.newer.len() >= GENERATION {
                generations.older = std::mem::take(&mut generations.newer);
            }
            generations.newer.insert(value, Arc::clone(&name));
        }
    }

    fn upstream(&self, value: u64) -> Option<Arc<str>> {
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = generations.newer.get(&value).or_else(|| generations.older.get(&value));
        known.map(Arc::clone)
    }
}

/// Hash of a value. The same value of another project, or under another name, is another one.
fn hash(project: ProjectId, name: &str, value: &[u8]) -> u64 {
    digest(&[project.to_bytes().as_slice(), name.as_bytes(), value])
}

/// The same on every node.
fn digest(parts: &[&[u8]]) -> u64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let (first, _) = digest.split_at(8);
    first.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Spreads a number over all numbers (the last steps of `SplitMix64`).
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn project(last: u8) -> ProjectId {
        ProjectId::new(Timestamp::from_millis(0), [last; 10])
    }

    fn conversation(
        memory: &ConversationMemory,
        headers: &[(&'static str, &'static str)],
        fields: &[(&str, &'static str)],
    ) -> Option<Conversation> {
        let headers = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let field = |name: &str| fields.iter().find(|(one, _)| *one == name).map(|(_, json)| *json);
        Conversation::of(project(1), &headers.collect(), field, memory)
    }

    #[test]
    fn first_value_decides_and_empty_ones_are_none() {
        let memory = ConversationMemory::default();
        let key = |headers: &[_], fields: &[_]| {
            conversation(&memory, headers, fields).map(|conversation| conversation.key)
        };
        assert_eq!(
            key(&[("session-id", ""), ("other", "a")], &[("prompt_cache_key", "null")]),
            None
        );
        let cache = [("prompt_cache_key", "\"c\"")];
        let both = key(&[("session-id", "s")], &cache);
        assert!(both.is_some());
        assert_eq!(both, key(&[], &cache));
        assert_ne!(both, key(&[("session-id", "s")], &[]));
        // The client's own value leads to where the conversation began.
        let made = [("prompt_cache_key", "\"c\""), ("previous_response_id", "\"r\"")];
        assert_eq!(both, key(&[(TURN_STATE, "t")], &made));
        assert_ne!(both, key(&[(TURN_STATE, "t")], &[]));
    }

    #[test]
    fn node_remembers_the_upstream_of_each_value() {
        let memory = ConversationMemory::default();
        let first = conversation(&memory, &[("session-id", "s")], &[]).unwrap();
        assert_eq!(first.upstream(), None);
        memory.remember(&first, "a", Some(b"t"));
        for headers in [[("session-id", "s")], [(TURN_STATE, "t")]] {
            let next = conversation(&memory, &headers, &[]).unwrap();
            assert_eq!(next.upstream(), Some("a"), "{headers:?}");
        }
        // The value of another kind, and of another project, is another one.
        let other = conversation(&memory, &[("x-session-affinity", "s")], &[]).unwrap();
        assert_eq!(other.upstream(), None);
        assert_ne!(hash(project(1), "a", b"s"), hash(project(2), "a", b"s"));
    }

    #[test]
    fn memory_is_bounded_and_keeps_recent_values() {
        let memory = ConversationMemory::default();
        let mut conversation = conversation(&memory, &[("session-id", "s")], &[]).unwrap();
        for value in 0..100_000 {
            conversation.values = vec![value];
            memory.remember(&conversation, "a", None);
        }
        assert!(memory.upstream(0).is_none() && memory.upstream(99_999).is_some());
        let generations = memory.0.lock().unwrap();
        assert!(generations.newer.len() + generations.older.len() <= 2 * GENERATION);
    }

    #[test]
    fn conversations_are_shared_by_weight_and_few_move() {
        let names = [("a", 1), ("b", 1), ("c", 2)];
        let chosen = |key: u64, count: usize| {
            let conversation =
                Conversation { project: project(1), values: vec![], key, upstream: None };
            let score = |(name, weight): (&str, u32)| conversation.score(name, weight);
            let of = names.into_iter().take(count);
            of.max_by(|one, other| score(*one).total_cmp(&score(*other))).unwrap().0
        };
        let mut shares = HashMap::new();
        for key in (0..4_000).map(mix) {
            *shares.entry(chosen(key, 3)).or_insert(0) += 1;
            let without = chosen(key, 2);
            assert!(chosen(key, 3) == without || chosen(key, 3) == "c");
        }
        assert!((900..1_100).contains(&shares["a"]), "{shares:?}");
        assert!((1_900..2_100).contains(&shares["c"]), "{shares:?}");
    }
}
