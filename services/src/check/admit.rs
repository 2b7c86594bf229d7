//! From a key to the decision on one call. All limits are one admission: all are taken or none.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::key::KeyStatus;
use latchkey_domain::limit::Limit;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_domain::window::Taken;

use super::budget::Spent;
use super::outcome::{full_state, rate_state};
use super::{Call, Denial, Found, KeyRecord, LimitStates, budget};
use crate::clock::whole_seconds;
use crate::services::Services;
use crate::usage::quota::{self, Counted};

/// How many tokens a call takes: as many as are left, within these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) least: u64,
    pub(super) most: u64,
}

/// The decision on a call at `now`: where the limits stand, and what the call holds of them.
pub(super) async fn decide(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    need: Need,
    now: Timestamp,
) -> Result<(LimitStates, TakenTokens), Denial> {
    let key = &found.key;
    if let Some((outcome, detail)) = judge(found, call, now) {
        let limits = LimitStates { requests: standing(services, key), ..LimitStates::default() };
        return Err(Denial { detail, key: Some(Arc::clone(key)), limits, ..Denial::of(outcome) });
    }
    let mut taken = TakenLimits { services, key, requests: None, tokens: None, quota: None };
    let mut limits = LimitStates::default();
    match taken.take_all(need, now, &mut limits).await {
        Ok(budget) => {
            let tokens = TakenTokens { window: taken.tokens, budget, most: need.most };
            Ok((limits, tokens))
        }
        Err(denied) => {
            taken.give_back();
            Err(Denial { key: Some(Arc::clone(key)), limits, ..denied })
        }
    }
}

/// What a call holds of its key's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TakenTokens {
    pub(super) window: Option<Taken>,
    pub(super) budget: Option<Spent>,
    most: u64,
}

impl TakenTokens {
    /// How many it may use.
    pub(super) fn granted(self) -> u64 {
        let window = self.window.map_or(self.most, Taken::amount);
        window.min(self.budget.map_or(self.most, Spent::tokens))
    }
}

/// What the key itself says of a call, its limits aside; none: it may go on.
pub(super) fn judge(found: &Found, call: Call<'_>, now: Timestamp) -> Option<(Outcome, String)> {
    let key = &found.key;
    let plain = |outcome: Outcome| Some((outcome, outcome.detail().to_owned()));
    match KeyStatus::at(now, key.revoked_at, key.expires_at) {
        KeyStatus::Revoked => return plain(Outcome::RevokedKey),
        KeyStatus::Expired => return plain(Outcome::ExpiredKey),
        KeyStatus::Active => {}
    }
    if found.old && key.old.is_some_and(|(_, ends_at)| ends_at <= now) {
        let detail = "This secret was rotated out. Use the key’s new secret.";
        return Some((Outcome::RevokedKey, detail.to_owned()));
    }
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
                "This key may be used from certain networks only, and no address was given."
                    .to_owned()
            },
            |ip| format!("This key may not be used from {}.", ip.to_canonical()),
        );
        return Some((Outcome::IpNotAllowed, detail));
    }
    let allowed = call.model.is_none_or(|model| {
        let models = key.models.as_ref();
        models.is_none_or(|models| models.as_slice().iter().any(|one| one.as_str() == model))
    });
    if allowed { None } else { plain(Outcome::ModelNotAllowed) }
}

fn in_networks(key: &KeyRecord, ip: Option<IpAddr>) -> bool {
    let Some(networks) = &key.networks else { return true };
    ip.is_some_and(|ip| networks.as_slice().iter().any(|network| network.contains(ip)))
}

/// Where the key's requests per minute stand, without taking one.
fn standing(services: &Services, key: &KeyRecord) -> Option<latchkey_domain::api::RateLimitState> {
    let limit = key.rpm?.get();
    let now = services.clock.monotonic();
    Some(rate_state(services.requests.state(key.id, now, limit), limit))
}

/// What a call holds of the limits until it is decided.
struct TakenLimits<'a> {
    services: &'a Services,
    key: &'a KeyRecord,
    requests: Option<Taken>,
    tokens: Option<Taken>,
    quota: Option<Counted>,
}

impl TakenLimits<'_> {
    /// Takes what the call needs, the budget last: that can't be given back.
    async fn take_all(
        &mut self,
        need: Need,
        now: Timestamp,
        limits: &mut LimitStates,
    ) -> Result<Option<Spent>, Denial> {
        let (services, key) = (self.services, self.key);
        let counts = quota::counts(key.kind, key.environment);
        if counts && key.tier.requests_per_month().is_some() {
            quota::know(services, key.project, now).await.map_err(|error| {
                tracing::error!(%error, "a quota could not be asked");
                Denial::of(Outcome::Unavailable)
            })?;
        }
        if let Some(denial) = self.take_windows(need, limits) {
            return Err(denial);
        }
        if counts && let Some(denial) = self.take_quota(now) {
            return Err(denial);
        }
        // No more than the minute has left.
        let most = self.tokens.map_or(need.most, Taken::amount);
        take_budget(services, key, Need { most, ..need }, now, limits).await
    }

    /// Counts the call against the project's month, or says why it can't.
    fn take_quota(&mut self, now: Timestamp) -> Option<Denial> {
        let (quota, limit) = (&self.services.usage.quota, self.key.tier.requests_per_month());
        match quota.admit(self.key.project, limit, now) {
            Ok(counted) => {
                self.quota = Some(counted);
                None
            }
            Err(hit) => Some(Denial {
                detail: hit.detail(),
                retry_after: Some(hit.resets_at.since(now)),
                ..Denial::of(Outcome::QuotaExceeded)
            }),
        }
    }

    /// Takes what the call needs of the limits per minute, or says why it can't.
    fn take_windows(&mut self, need: Need, limits: &mut LimitStates) -> Option<Denial> {
        let now = self.services.clock.monotonic();
        if let Some(limit) = self.key.rpm.map(Limit::get) {
            match self.services.requests.take(self.key.id, now, 1, limit) {
                Ok((taken, state)) => {
                    self.requests = Some(taken);
                    limits.requests = Some(rate_state(state, limit));
                }
                Err(full) => {
                    limits.requests = Some(full_state(full, limit));
                    let wait = full.retry_after.unwrap_or_default();
                    return Some(Denial {
                        detail: format!(
                            "rpm {limit} reached: {} used in the last 60 s, frees in {} s.",
                            full.used,
                            whole_seconds(wait)
                        ),
                        retry_after: Some(wait),
                        ..Denial::of(Outcome::RateLimited)
                    });
                }
            }
        }
        if let Some(limit) = self.key.tpm.map(Limit::get) {
            let Need { least, most } = need;
            match self.services.tokens.take_between(self.key.id, now, (least, most), limit) {
                Ok((taken, state)) => {
                    self.tokens = Some(taken);
                    limits.tokens = Some(rate_state(state, limit));
                }
                Err(full) => {
                    limits.tokens = Some(full_state(full, limit));
                    let when = match full.retry_after {
                        Some(wait) => format!("enough frees in {} s", whole_seconds(wait)),
                        None => "a call of that size never fits".to_owned(),
                    };
                    return Some(Denial {
                        detail: format!(
                            "tpm {limit} reached: {} used in the last 60 s, {least} asked for; {when}.",
                            full.used
                        ),
                        retry_after: full.retry_after,
                        ..Denial::of(Outcome::TokenRateLimited)
                    });
                }
            }
        }
        None
    }

    fn give_back(self) {
        if let Some(taken) = self.requests {
            self.services.requests.give_back(self.key.id, taken);
        }
        if let Some(taken) = self.tokens {
            self.services.tokens.give_back(self.key.id, taken);
        }
        if let Some(counted) = self.quota {
            self.services.usage.quota.give_back(counted);
        }
    }
}

async fn take_budget(
    services: &Services,
    key: &KeyRecord,
    Need { least, most }: Need,
    now: Timestamp,
    limits: &mut LimitStates,
) -> Result<Option<Spent>, Denial> {
    let Some(budget) = key.budget else { return Ok(None) };
    let answer =
        budget::take(services, key.id, budget, (least, most), now).await.map_err(|error| {
            tracing::error!(%error, "a budget could not be asked");
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
                    "The budget of {} tokens a {} can’t take this call: {} used, {least} asked for; it \
                     resets at {}.",
                    state.limit,
                    state.period.as_str(),
                    state.used,
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
    use crate::check::tests::record;
    use crate::digest::KeyDigest;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn outcome(key: KeyRecord, call: Call<'_>, now: i64) -> Outcome {
        let found = Found { key: Arc::new(key), old: false };
        judge(&found, call, at(now)).map_or(Outcome::Valid, |(outcome, _)| outcome)
    }

    fn call(application: Option<ApplicationId>) -> Call<'static> {
        Call { kind: Some(KeyKind::Api), application, ..Call::default() }
    }

    #[test]
    fn a_key_of_one_application_never_speaks_for_another() {
        let other = ApplicationId::new(at(0), [2; 10]);
        assert_eq!(outcome(record(), call(record().application), 0), Outcome::Valid);
        assert_eq!(outcome(record(), call(None), 0), Outcome::Valid);
        assert_eq!(outcome(record(), call(Some(other)), 0), Outcome::WrongScope);
    }

    #[test]
    fn keys_of_another_kind_are_out_of_scope() {
        let inference = Call { kind: Some(KeyKind::Inference), ..Call::default() };
        assert_eq!(outcome(record(), inference, 0), Outcome::WrongScope);
        assert_eq!(outcome(record(), Call::default(), 0), Outcome::Valid);
    }

    #[test]
    fn revocation_and_expiry_outrank_scope() {
        let other = call(Some(ApplicationId::new(at(0), [2; 10])));
        assert_eq!(outcome(record(), other, 1_000), Outcome::ExpiredKey);
        let revoked = KeyRecord { revoked_at: Some(at(1)), ..record() };
        assert_eq!(outcome(revoked, other, 1_000), Outcome::RevokedKey);
    }

    #[test]
    fn a_rotated_secret_works_until_its_grace_ends() {
        let digest = KeyDigest::from_bytes(&[7; 32]).unwrap();
        let key = KeyRecord { old: Some((digest, at(500))), ..record() };
        let found = Found { key: Arc::new(key), old: true };
        assert_eq!(judge(&found, call(None), at(499)), None);
        let ended = judge(&found, call(None), at(500)).unwrap();
        assert_eq!(ended.0, Outcome::RevokedKey);
        let new = Found { old: false, ..found };
        assert_eq!(judge(&new, call(None), at(500)), None);
    }

    #[test]
    fn networks_and_models_fail_closed() {
        let networks = AllowList::new(vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
        let models = AllowList::new(vec!["bge-m3".parse().unwrap()]).unwrap();
        let key = KeyRecord { networks: Some(networks), models: Some(models), ..record() };
        let from = |ip: &str| Call { ip: ip.parse().ok(), ..call(None) };
        assert_eq!(outcome(key.clone(), from("203.0.113.7"), 0), Outcome::Valid);
        assert_eq!(outcome(key.clone(), from("198.51.100.7"), 0), Outcome::IpNotAllowed);
        assert_eq!(outcome(key.clone(), from(""), 0), Outcome::IpNotAllowed);
        let uses = |model| Call { model: Some(model), ..from("203.0.113.7") };
        assert_eq!(outcome(key.clone(), uses("bge-m3"), 0), Outcome::Valid);
        assert_eq!(outcome(key, uses("gpt-9"), 0), Outcome::ModelNotAllowed);
    }
}
