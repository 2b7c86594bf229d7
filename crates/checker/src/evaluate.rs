//! Evaluates a call by the key's record alone, before any limit. No I/O.
//!
//! The order is that of the outcomes: first what ends the key (revoked, expired, rotated away,
//! disabled), then where it may be used (application, networks, models), and last what it may be
//! used for (scopes). So `insufficient_scope` is told only to callers who may use the key here.

use std::net::IpAddr;

use latchkey_domain::key::KeyStatus;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::record::KeyRecord;
use crate::request::CheckRequest;

/// Reason why the key, or the secret that was used, is no longer valid. It also ends calls in
/// progress.
///
/// `old`: the caller used the secret before the last rotation.
pub(crate) fn ended(key: &KeyRecord, old: bool, now: Timestamp) -> Option<(Outcome, String)> {
    let plain = |outcome: Outcome| Some((outcome, outcome.detail().to_owned()));
    let status = KeyStatus::at(now, key.revoked_at, key.expires_at, key.disabled);
    match status {
        KeyStatus::Revoked => return plain(Outcome::RevokedKey),
        KeyStatus::Expired => return plain(Outcome::ExpiredKey),
        KeyStatus::Active | KeyStatus::Disabled => {}
    }
    // A secret that is gone for good outranks a key that may be enabled again.
    if old && key.extended().old.is_some_and(|(_, ends_at)| ends_at <= now) {
        let detail = "This secret was replaced by a rotation. Use the key’s new secret.";
        return Some((Outcome::RevokedKey, detail.to_owned()));
    }
    if status == KeyStatus::Disabled { plain(Outcome::DisabledKey) } else { None }
}

/// Reason why the key itself refuses a call, limits aside. `None`: it does not.
///
/// `old`: the caller used the secret before the last rotation.
pub(crate) fn evaluate(
    key: &KeyRecord,
    old: bool,
    call: CheckRequest<'_>,
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
        let models = key.extended().models.as_ref();
        models.is_none_or(|models| models.as_slice().iter().any(|one| one.as_str() == model))
    });
    if !allowed {
        return plain(Outcome::ModelNotAllowed);
    }
    let lacks_scope = call.scopes.is_some_and(|asked| !key.meets(asked));
    if lacks_scope { plain(Outcome::InsufficientScope) } else { None }
}

fn in_networks(key: &KeyRecord, ip: Option<IpAddr>) -> bool {
    let Some(networks) = &key.extended().networks else { return true };
    ip.is_some_and(|ip| networks.as_slice().iter().any(|network| network.contains(ip)))
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::ApplicationId;
    use latchkey_domain::key::KeyKind;
    use latchkey_domain::limit::AllowList;
    use latchkey_domain::scope::{ScopePattern, ScopeQuery, Scopes};

    use super::*;
    use crate::record::ExtendedLimits;
    use crate::record::tests::record;
    use latchkey_domain::digest::KeyDigest;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn outcome(key: &KeyRecord, call: CheckRequest<'_>, now: i64) -> Outcome {
        evaluate(key, false, call, at(now)).map_or(Outcome::Valid, |(outcome, _)| outcome)
    }

    fn call(application: Option<ApplicationId>) -> CheckRequest<'static> {
        CheckRequest { kind: Some(KeyKind::Api), application, ..CheckRequest::default() }
    }

    #[test]
    fn application_key_is_out_of_scope_elsewhere() {
        let other = ApplicationId::new(at(0), [2; 10]);
        assert_eq!(outcome(&record(), call(record().application), 0), Outcome::Valid);
        assert_eq!(outcome(&record(), call(None), 0), Outcome::Valid);
        assert_eq!(outcome(&record(), call(Some(other)), 0), Outcome::WrongScope);
    }

    #[test]
    fn keys_of_another_kind_are_out_of_scope() {
        let inference = CheckRequest { kind: Some(KeyKind::Inference), ..CheckRequest::default() };
        assert_eq!(outcome(&record(), inference, 0), Outcome::WrongScope);
        assert_eq!(outcome(&record(), CheckRequest::default(), 0), Outcome::Valid);
    }

    #[test]
    fn revocation_and_expiry_outrank_scope() {
        let other = call(Some(ApplicationId::new(at(0), [2; 10])));
        assert_eq!(outcome(&record(), other, 1_000), Outcome::ExpiredKey);
        let revoked = KeyRecord { revoked_at: Some(at(1)), ..record() };
        assert_eq!(outcome(&revoked, other, 1_000), Outcome::RevokedKey);
    }

    #[test]
    fn disabled_key_is_refused_after_expiry_and_rotation() {
        let digest = KeyDigest::new([7; 32]);
        let extended = ExtendedLimits { old: Some((digest, at(500))), ..ExtendedLimits::default() };
        let extended = Some(Box::new(extended));
        let key = KeyRecord { disabled: true, extended, ..record() };
        let other = call(Some(ApplicationId::new(at(0), [2; 10])));
        assert_eq!(outcome(&key, other, 0), Outcome::DisabledKey);
        assert_eq!(outcome(&key, other, 1_000), Outcome::ExpiredKey);
        let of_old = |now| ended(&key, true, at(now)).map(|(outcome, _)| outcome);
        assert_eq!(of_old(499), Some(Outcome::DisabledKey));
        assert_eq!(of_old(500), Some(Outcome::RevokedKey));
    }

    #[test]
    fn scopes_are_evaluated_last() {
        let models = AllowList::new(vec!["bge-m3".parse().unwrap()]).unwrap();
        let granted = ["orders:*", "users:read"].map(|one| one.parse::<ScopePattern>().unwrap());
        let scopes = Scopes::new(granted.into()).unwrap();
        let extended = ExtendedLimits {
            models: Some(models),
            scopes: Some(scopes),
            ..ExtendedLimits::default()
        };
        let key = KeyRecord { extended: Some(Box::new(extended)), ..record() };
        let asked = |words: &str| ScopeQuery::all_of_words(words).unwrap();
        let outcome_of = |key: &KeyRecord, words: &str| {
            let scopes = asked(words);
            outcome(key, CheckRequest { scopes: Some(&scopes), ..call(None) }, 0)
        };
        assert_eq!(outcome_of(&key, "orders:write users:read"), Outcome::Valid);
        assert_eq!(outcome_of(&key, "orders:write users:write"), Outcome::InsufficientScope);
        assert_eq!(outcome_of(&key, ""), Outcome::Valid);
        assert_eq!(outcome_of(&record(), ""), Outcome::Valid);
        assert_eq!(outcome_of(&record(), "users:read"), Outcome::InsufficientScope);
        let lacking = asked("users:write");
        let uses = CheckRequest { model: Some("gpt-9"), scopes: Some(&lacking), ..call(None) };
        assert_eq!(outcome(&key, uses, 0), Outcome::ModelNotAllowed);
    }

    #[test]
    fn rotated_secret_works_until_grace_period_ends() {
        let digest = KeyDigest::new([7; 32]);
        let extended = ExtendedLimits { old: Some((digest, at(500))), ..ExtendedLimits::default() };
        let key = KeyRecord { extended: Some(Box::new(extended)), ..record() };
        assert_eq!(evaluate(&key, true, call(None), at(499)), None);
        let ended = evaluate(&key, true, call(None), at(500)).unwrap();
        assert_eq!(ended.0, Outcome::RevokedKey);
        assert_eq!(evaluate(&key, false, call(None), at(500)), None);
    }

    #[test]
    fn networks_and_models_fail_closed() {
        let networks = AllowList::new(vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
        let models = AllowList::new(vec!["bge-m3".parse().unwrap()]).unwrap();
        let extended = ExtendedLimits {
            networks: Some(networks),
            models: Some(models),
            ..ExtendedLimits::default()
        };
        let key = KeyRecord { extended: Some(Box::new(extended)), ..record() };
        let from = |ip: &str| CheckRequest { ip: ip.parse().ok(), ..call(None) };
        assert_eq!(outcome(&key, from("203.0.113.7"), 0), Outcome::Valid);
        assert_eq!(outcome(&key, from("198.51.100.7"), 0), Outcome::IpNotAllowed);
        assert_eq!(outcome(&key, from(""), 0), Outcome::IpNotAllowed);
        let uses = |model| CheckRequest { model: Some(model), ..from("203.0.113.7") };
        assert_eq!(outcome(&key, uses("bge-m3"), 0), Outcome::Valid);
        assert_eq!(outcome(&key, uses("gpt-9"), 0), Outcome::ModelNotAllowed);
    }
}
