//! From a key to the decision on one call. All limits are one admission: all are taken or none.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::key::KeyStatus;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::Checker;
use crate::begin::BegunCall;
use crate::budget;
use crate::budget::Spent;
use crate::check::Call;
use crate::check::Found;
use crate::need::Need;
use crate::outcome::Denial;
use crate::outcome::LimitStates;
use crate::rates;
use crate::rates::{HeldRates, MinuteLimits};
use crate::record::KeyRecord;
use crate::usage::quota::{self, CountedCall};

/// The decision on a call at `now`: where the limits stand, and what the call holds of them. A call
/// that was `begun` has taken its request.
pub(crate) async fn decide(
    checker: &Checker,
    found: &Found,
    call: Call<'_>,
    need: Need,
    now: Timestamp,
    begun: Option<&BegunCall>,
) -> Result<(LimitStates, TakenTokens), Denial> {
    let key = &found.key;
    if let Some(refusal) = judge(key, found.old, call, now) {
        return Err(refused(checker, found, refusal, begun).await);
    }
    let mut taken = TakenLimits { checker, key, rates: HeldRates::default(), quota: None };
    let mut of = MinuteLimits::of(key);
    if begun.is_some_and(|begun| begun.took_request) {
        of = of.tokens();
    }
    let mut limits = LimitStates::default();
    let decided = taken.take_all(of, need, now, &mut limits).await;
    limits.requests = limits.requests.or(begun.and_then(|begun| begun.requests));
    match decided {
        Ok(budget) => {
            let most = need.of(u64::MAX);
            Ok((limits, TakenTokens { rates: taken.keep(), budget, most }))
        }
        Err(denied) => Err(Denial { key: Some(Arc::clone(key)), limits, ..denied }),
    }
}

/// The denial of a call that the key itself does not admit.
pub(crate) async fn refused(
    checker: &Checker,
    found: &Found,
    (outcome, detail): (Outcome, String),
    begun: Option<&BegunCall>,
) -> Denial {
    let limits = match begun {
        Some(begun) => begun.limits(),
        None => standing(checker, &found.key).await,
    };
    Denial { detail, key: Some(Arc::clone(&found.key)), limits, ..Denial::of(outcome) }
}

/// What a call holds of its key's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TakenTokens {
    pub(crate) rates: HeldRates,
    pub(crate) budget: Option<Spent>,
    most: u64,
}

impl TakenTokens {
    /// How many it may use.
    pub(crate) fn granted(self) -> u64 {
        let window = self.rates.tokens().unwrap_or(self.most);
        window.min(self.budget.map_or(self.most, Spent::tokens))
    }
}

/// Whether the key's life is over, or that of the secret which led to it. Calls in progress end
/// then too.
///
/// `old`: it came by the secret before the last rotation.
pub(crate) fn ended(key: &KeyRecord, old: bool, now: Timestamp) -> Option<(Outcome, String)> {
    let plain = |outcome: Outcome| Some((outcome, outcome.detail().to_owned()));
    match KeyStatus::at(now, key.revoked_at, key.expires_at) {
        KeyStatus::Revoked => return plain(Outcome::RevokedKey),
        KeyStatus::Expired => return plain(Outcome::ExpiredKey),
        KeyStatus::Active => {}
    }
    let is_over = old && key.rare().old.is_some_and(|(_, ends_at)| ends_at <= now);
    is_over.then(|| {
        let detail = "This secret was replaced by a rotation. Use the key’s new secret.";
        (Outcome::RevokedKey, detail.to_owned())
    })
}

/// What the key itself says of a call, its limits aside; none: it may go on.
///
/// `old`: it came by the secret before the last rotation.
pub(crate) fn judge(
    key: &KeyRecord,
    old: bool,
    call: Call<'_>,
    now: Timestamp,
) -> Option<(Outcome, String)> {
    if let Some(ended) = ended(key, old, now) {
        return Some(ended);
    }
    let plain = |outcome: Outcome| Some((outcome, outcome.detail().to_owned()));
    let other_kind = call.kind.is_some_and(|kind| kind != key.kind);
    let other_application = match (key.application, call.application) {
        (Some(own), Some(named)) => own != named,
        _ => false,
    };
    if other_kind || other_application || call.elsewhere {
        return plain(Outcome::WrongScope);
    }
    if !in_networks(key, call.ip) {
        let detail = call.ip.map_or_else(
            || {
                "This key is restricted to certain networks, and the request has no IP address."
                    .to_owned()
            },
            |ip| format!("This key may not be used from {}.", ip.to_canonical()),
        );
        return Some((Outcome::IpNotAllowed, detail));
    }
    let allowed = call.model.is_none_or(|model| {
        let models = key.rare().models.as_ref();
        models.is_none_or(|models| models.as_slice().iter().any(|one| one.as_str() == model))
    });
    if allowed { None } else { plain(Outcome::ModelNotAllowed) }
}

fn in_networks(key: &KeyRecord, ip: Option<IpAddr>) -> bool {
    let Some(networks) = &key.rare().networks else { return true };
    ip.is_some_and(|ip| networks.as_slice().iter().any(|network| network.contains(ip)))
}

/// Where the key's limits per minute stand, without taking of them.
async fn standing(checker: &Checker, key: &KeyRecord) -> LimitStates {
    let looks = rates::look(checker, key, 0).await;
    LimitStates {
        requests: looks.requests.map(|look| look.state),
        tokens: looks.tokens.map(|look| look.state),
        budget: None,
    }
}

/// What a call holds of the limits until it is decided. It goes back unless the call is admitted:
/// when it is refused, and when whoever made it goes away while the database is asked.
struct TakenLimits<'a> {
    checker: &'a Checker,
    key: &'a KeyRecord,
    rates: HeldRates,
    quota: Option<CountedCall>,
}

impl TakenLimits<'_> {
    /// Takes what the call needs, the budget last: that can't be given back.
    async fn take_all(
        &mut self,
        of: MinuteLimits,
        need: Need,
        now: Timestamp,
        limits: &mut LimitStates,
    ) -> Result<Option<Spent>, Denial> {
        let (checker, key) = (self.checker, self.key);
        self.rates = rates::take(checker, of, need, limits).await.map_err(|denial| *denial)?;
        if quota::counts(key.kind, key.environment) {
            self.quota = Some(take_quota(checker, key, now).await?);
        }
        // No more than the minute has left.
        let most = self.rates.tokens().unwrap_or(u64::MAX);
        take_budget(checker, key, (need, most), now, limits).await
    }

    /// The call is admitted: what it holds is its own.
    fn keep(mut self) -> HeldRates {
        self.quota = None;
        std::mem::take(&mut self.rates)
    }
}

impl Drop for TakenLimits<'_> {
    fn drop(&mut self) {
        rates::give_back(self.checker, self.key.id, std::mem::take(&mut self.rates));
        if let Some(counted) = self.quota.take() {
            self.checker.usage.quota.give_back(counted);
        }
    }
}

/// Counts a call against the month of the key's project.
async fn take_quota(
    checker: &Checker,
    key: &KeyRecord,
    now: Timestamp,
) -> Result<CountedCall, Denial> {
    let limit = key.plan_limits().requests_per_month;
    let taken = quota::take(checker, key.project, limit, now).await.map_err(|error| {
        tracing::error!(%error, "Failed to query a quota");
        Denial::of(Outcome::Unavailable)
    })?;
    taken.map_err(|hit| Denial {
        detail: hit.detail(),
        retry_after: Some(hit.resets_at.since(now)),
        ..Denial::of(Outcome::QuotaExceeded)
    })
}

async fn take_budget(
    checker: &Checker,
    key: &KeyRecord,
    (need, most): (Need, u64),
    now: Timestamp,
    limits: &mut LimitStates,
) -> Result<Option<Spent>, Denial> {
    let Some(budget) = key.rare().budget else { return Ok(None) };
    let answer = budget::take(checker, key, budget, (need, most), now).await.map_err(|error| {
        tracing::error!(%error, "Failed to query a budget");
        Denial::of(Outcome::Unavailable)
    })?;
    match answer {
        Ok((spent, state)) => {
            limits.budget = Some(state);
            Ok(Some(spent))
        }
        Err(state) => {
            limits.budget = Some(state);
            Err(Denial {
                detail: format!(
                    "The budget of {} tokens per {} is not enough for this call: {} used, {} \
                     requested. It resets at {}.",
                    state.limit,
                    state.period.as_str(),
                    state.used,
                    need.least(),
                    state.resets_at
                ),
                retry_after: Some(state.resets_at.since(now)),
                ..Denial::of(Outcome::TokenBudgetExhausted)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::ApplicationId;
    use latchkey_domain::key::KeyKind;
    use latchkey_domain::limit::AllowList;

    use super::*;
    use crate::digest::KeyDigest;
    use crate::record::Rare;
    use crate::record::tests::record;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn outcome(key: &KeyRecord, call: Call<'_>, now: i64) -> Outcome {
        judge(key, false, call, at(now)).map_or(Outcome::Valid, |(outcome, _)| outcome)
    }

    fn call(application: Option<ApplicationId>) -> Call<'static> {
        Call { kind: Some(KeyKind::Api), application, ..Call::default() }
    }

    #[test]
    fn a_key_of_one_application_never_speaks_for_another() {
        let other = ApplicationId::new(at(0), [2; 10]);
        assert_eq!(outcome(&record(), call(record().application), 0), Outcome::Valid);
        assert_eq!(outcome(&record(), call(None), 0), Outcome::Valid);
        assert_eq!(outcome(&record(), call(Some(other)), 0), Outcome::WrongScope);
    }

    #[test]
    fn keys_of_another_kind_are_out_of_scope() {
        let inference = Call { kind: Some(KeyKind::Inference), ..Call::default() };
        assert_eq!(outcome(&record(), inference, 0), Outcome::WrongScope);
        assert_eq!(outcome(&record(), Call::default(), 0), Outcome::Valid);
    }

    #[test]
    fn revocation_and_expiry_outrank_scope() {
        let other = call(Some(ApplicationId::new(at(0), [2; 10])));
        assert_eq!(outcome(&record(), other, 1_000), Outcome::ExpiredKey);
        let revoked = KeyRecord { revoked_at: Some(at(1)), ..record() };
        assert_eq!(outcome(&revoked, other, 1_000), Outcome::RevokedKey);
    }

    #[test]
    fn a_rotated_secret_works_until_its_grace_ends() {
        let digest = KeyDigest::from_bytes(&[7; 32]).unwrap();
        let rare = Rare { old: Some((digest, at(500))), ..Rare::default() };
        let key = KeyRecord { rare: Some(Box::new(rare)), ..record() };
        assert_eq!(judge(&key, true, call(None), at(499)), None);
        let ended = judge(&key, true, call(None), at(500)).unwrap();
        assert_eq!(ended.0, Outcome::RevokedKey);
        assert_eq!(judge(&key, false, call(None), at(500)), None);
    }

    #[test]
    fn networks_and_models_fail_closed() {
        let networks = AllowList::new(vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
        let models = AllowList::new(vec!["bge-m3".parse().unwrap()]).unwrap();
        let rare = Rare { networks: Some(networks), models: Some(models), ..Rare::default() };
        let key = KeyRecord { rare: Some(Box::new(rare)), ..record() };
        let from = |ip: &str| Call { ip: ip.parse().ok(), ..call(None) };
        assert_eq!(outcome(&key, from("203.0.113.7"), 0), Outcome::Valid);
        assert_eq!(outcome(&key, from("198.51.100.7"), 0), Outcome::IpNotAllowed);
        assert_eq!(outcome(&key, from(""), 0), Outcome::IpNotAllowed);
        let uses = |model| Call { model: Some(model), ..from("203.0.113.7") };
        assert_eq!(outcome(&key, uses("bge-m3"), 0), Outcome::Valid);
        assert_eq!(outcome(&key, uses("gpt-9"), 0), Outcome::ModelNotAllowed);
    }
}
