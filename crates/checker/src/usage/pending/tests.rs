//! Tests of counting in memory.

use latchkey_domain::money::Usd;
use latchkey_domain::token_usage::TokenUsage;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn call(key: u8, millis: i64, outcome: Outcome) -> Use {
    Use {
        key: KeyId::new(at(0), [key; 10]),
        project: ProjectId::new(at(0), [0; 10]),
        kind: KeyKind::Api,
        environment: Environment::Live,
        old_secret: false,
        outcome,
        at: at(millis),
        ip: None,
        tokens: TokenUsage {
            prompt: 3,
            completion: 2,
            cached: 1,
            estimated: 1,
            ..TokenUsage::default()
        },
        cost: Usd::from_billionths(7),
    }
}

fn counters(pending: &PendingCounters, key: u8) -> Vec<(i64, Outcome, u64)> {
    let mut seen = Vec::new();
    pending.visit_key(call(key, 0, Outcome::Valid).key, |unwritten| {
        let each = unwritten.counters.iter();
        seen.extend(each.map(|one| (one.minute.as_millis(), one.outcome, one.counts.requests)));
    });
    seen
}

#[test]
fn calls_are_summed_by_minute_and_outcome() {
    let pending = PendingCounters::new();
    for (millis, outcome) in [
        (0, Outcome::Valid),
        (59_999, Outcome::Valid),
        (60_000, Outcome::Valid),
        (59_000, Outcome::RateLimited),
    ] {
        pending.record(&call(1, millis, outcome));
    }
    let expected =
        [(0, Outcome::Valid, 2), (60_000, Outcome::Valid, 1), (0, Outcome::RateLimited, 1)];
    assert_eq!(counters(&pending, 1), expected);
}

#[test]
fn cost_and_cached_tokens_are_summed() {
    let pending = PendingCounters::new();
    for _ in 0..2 {
        pending.record(&call(1, 0, Outcome::Valid));
    }
    let batch = pending.take();
    pending.record(&call(1, 0, Outcome::Valid));
    pending.restore(batch);
    let counts = pending.take()[0].1.counters[0].counts;
    assert_eq!((counts.tokens.cached, counts.cost), (3, Usd::from_billionths(21)));
}

#[test]
fn last_use_only_moves_forward() {
    let pending = PendingCounters::new();
    pending.record(&call(1, 5_000, Outcome::Valid));
    pending.record(&Use { old_secret: true, ..call(1, 4_000, Outcome::RevokedKey) });
    pending.record(&Use { old_secret: true, ..call(1, 3_000, Outcome::RevokedKey) });
    let mut last = None;
    pending.visit_key(call(1, 0, Outcome::Valid).key, |one| last = Some(one.last_use));
    let expected = LastUse { at: at(5_000), ip: None, old_secret_at: Some(at(4_000)) };
    assert_eq!(last, Some(expected));
}

#[test]
fn failed_batch_is_merged_with_newer_usage() {
    let pending = PendingCounters::new();
    pending.record(&call(1, 0, Outcome::Valid));
    pending.denied(&call(1, 0, Outcome::RateLimited), "first");
    let batch = pending.take();
    assert!(counters(&pending, 1).is_empty());
    pending.denied(&call(1, 1_000, Outcome::RateLimited), "second");
    pending.record(&call(1, 60_000, Outcome::Valid));
    pending.restore(batch);
    let mut together = counters(&pending, 1);
    together.sort_unstable();
    let expected =
        [(0, Outcome::Valid, 1), (0, Outcome::RateLimited, 2), (60_000, Outcome::Valid, 1)];
    assert_eq!(together, expected);
    pending.visit_key(call(1, 0, Outcome::Valid).key, |unwritten| {
        let details: Vec<_> = unwritten.denials.iter().map(|one| one.detail.as_str()).collect();
        assert_eq!(details, ["first", "second"]);
        assert_eq!(unwritten.last_use.at, at(60_000));
    });
}

#[test]
fn newest_denials_of_a_key_are_kept() {
    let pending = PendingCounters::new();
    for number in 0..60 {
        pending.denied(&call(1, number, Outcome::RateLimited), &number.to_string());
    }
    let batch = pending.take();
    let denials = &batch[0].1.denials;
    assert_eq!(denials.len(), DENIALS_PER_KEY);
    assert_eq!((&*denials[0].detail, &*denials[49].detail), ("10", "59"));
}

#[test]
fn denial_detail_is_short_without_control_characters() {
    let pending = PendingCounters::new();
    let reason = format!("model \0{}", "x".repeat(1_000));
    pending.denied(&call(1, 0, Outcome::ModelNotAllowed), &reason);
    let detail = &pending.take()[0].1.denials[0].detail;
    assert!(detail.starts_with("model \u{fffd}x"));
    assert_eq!(detail.chars().count(), DETAIL_CHARACTERS);
}

#[test]
fn memory_is_bounded_and_sums_stay_exact() {
    let pending = PendingCounters::new();
    let minutes = i64::try_from(COUNTERS_PER_SHARD).unwrap() + 1_000;
    for minute in 0..minutes {
        pending.record(&call(1, minute * 60_000, Outcome::Valid));
    }
    let counted = counters(&pending, 1);
    assert_eq!(counted.len(), COUNTERS_PER_SHARD);
    let sum: u64 = counted.iter().map(|(_, _, requests)| requests).sum();
    assert_eq!(i64::try_from(sum).unwrap(), minutes);
    // A batch that is restored obeys the same bound.
    let batch = pending.take();
    pending.record(&call(1, 0, Outcome::Valid));
    pending.restore(batch);
    assert!(counters(&pending, 1).len() <= COUNTERS_PER_SHARD);
}

#[test]
fn upstream_usage_cannot_overflow_sums() {
    let pending = PendingCounters::new();
    let tokens = TokenUsage { prompt: u64::MAX, cached: u64::MAX, ..TokenUsage::default() };
    for _ in 0..3 {
        pending.record(&Use { tokens, cost: Usd::MAX, ..call(1, 0, Outcome::Valid) });
    }
    let counts = pending.take()[0].1.counters[0].counts;
    assert_eq!(counts.tokens.prompt, 3 * TokenUsage::MAX_PER_CALL);
    assert_eq!(counts.tokens.cached, 3 * TokenUsage::MAX_PER_CALL);
    assert_eq!(counts.cost, Usd::dollars(3_000_000));
}

#[test]
fn batch_has_all_keys_or_a_bounded_part() {
    let pending = PendingCounters::new();
    let count = |keys: u16| {
        for number in 0..keys {
            let mut random = [0; 10];
            // The last byte of the ID selects the shard.
            random[8..].copy_from_slice(&number.to_be_bytes());
            let key = KeyId::new(at(0), random);
            pending.record(&Use { key, ..call(1, 0, Outcome::Valid) });
        }
    };
    count(400);
    assert_eq!(pending.take_batch().len(), 400);
    count(20_000);
    let batches = std::iter::repeat_with(|| pending.take_batch());
    let batches: Vec<_> = batches.take(BATCHES_PER_ROUND).collect();
    let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| (KEYS_PER_BATCH..2_000).contains(size)), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 20_000, "every key is in one batch");
    assert!(pending.take().is_empty());
    let last_of = |batch: &UsageBatch| batch.iter().map(|(key, _)| *key).max();
    let first_of = |batch: &UsageBatch| batch.iter().map(|(key, _)| *key).min();
    let in_order = batches.array_windows().all(|[one, next]| last_of(one) < first_of(next));
    assert!(in_order, "neighbours are in the same batch");
}

#[test]
fn busy_keys_are_written_once_a_round() {
    let pending = PendingCounters::new();
    let key = |number: u16| {
        let mut random = [0; 10];
        random[8..].copy_from_slice(&number.to_be_bytes());
        KeyId::new(at(0), random)
    };
    let mut written = vec![0; 8_000];
    for _ in 0..2 * BATCHES_PER_ROUND {
        for number in 0..8_000 {
            pending.record(&Use { key: key(number), ..call(1, 0, Outcome::Valid) });
        }
        for (key, _) in pending.take_batch() {
            let [.., high, low] = key.to_bytes();
            written[usize::from(u16::from_be_bytes([high, low]))] += 1;
        }
    }
    assert!(written.iter().all(|times| *times == 2), "{written:?}");
    pending.take();
    assert!(pending.shards.iter().all(|shard| lock(shard).counters == 0));
}
