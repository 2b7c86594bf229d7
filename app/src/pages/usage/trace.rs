//! “Why was this rejected?”: derives from an outcome the checks that led to it, and a sentence.

use latchkey_domain::api::{
    ApiKey, DryRun, DryRunRequest, QuotaState, RateLimitState, RefusingLimit,
};
use latchkey_domain::budget::LimitScope;
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::limit::{DEFAULT_MAX_PARALLEL, Limit};
use latchkey_domain::outcome::Outcome;

use super::limit_words::{budget_in_words, token_budget_in_words, used_in_words};
use crate::keys::model_chips::models_in_words;
use latchkey_ui::bar_meter::short;
use latchkey_ui::decision_trace::{CheckState, TraceStep};
use latchkey_ui::relative_time::date;
use latchkey_ui::thousands;

/// The checks in the gateway's order: those that don't need the body come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Found,
    Alive,
    Enabled,
    Scope,
    GrantedScopes,
    Address,
    Requests,
    Parallel,
    Model,
    Price,
    Tokens,
    Quota,
    Budget,
}

impl Check {
    const ALL: [Self; 13] = [
        Self::Found,
        Self::Alive,
        Self::Enabled,
        Self::Scope,
        Self::GrantedScopes,
        Self::Address,
        Self::Requests,
        Self::Parallel,
        Self::Model,
        Self::Price,
        Self::Tokens,
        Self::Quota,
        Self::Budget,
    ];

    /// The check that leads to that outcome; none if no check was made, or all passed.
    const fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Valid | Outcome::Unavailable => None,
            Outcome::MissingKey | Outcome::MalformedKey | Outcome::UnknownKey => Some(Self::Found),
            Outcome::RevokedKey | Outcome::ExpiredKey => Some(Self::Alive),
            Outcome::DisabledKey => Some(Self::Enabled),
            Outcome::WrongScope => Some(Self::Scope),
            Outcome::InsufficientScope => Some(Self::GrantedScopes),
            Outcome::IpNotAllowed => Some(Self::Address),
            Outcome::ModelNotAllowed => Some(Self::Model),
            Outcome::ModelNotPriced => Some(Self::Price),
            Outcome::RateLimited => Some(Self::Requests),
            Outcome::TooManyParallelRequests => Some(Self::Parallel),
            Outcome::TokenRateLimited => Some(Self::Tokens),
            Outcome::QuotaExceeded => Some(Self::Quota),
            Outcome::RequestBudgetExhausted
            | Outcome::TokenBudgetExhausted
            | Outcome::SpendLimitReached => Some(Self::Budget),
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Found => "Key found",
            Self::Alive => "Not revoked, not expired",
            Self::Enabled => "Not disabled",
            Self::Scope => "Application and call allowed",
            Self::GrantedScopes => "Scopes granted",
            Self::Address => "Address allowed",
            Self::Model => "Model allowed",
            Self::Price => "Model priced",
            Self::Requests => "Requests per minute",
            Self::Parallel => "Calls at a time",
            Self::Tokens => "Tokens per minute",
            Self::Quota => "Monthly quota",
            Self::Budget => "Budgets",
        }
    }

    /// Whether the check applies to that key. One that denied a request always does.
    fn applies_to(self, key: &ApiKey, failed: Option<Self>) -> bool {
        match self {
            _ if failed == Some(self) => true,
            Self::Scope => key.kind == KeyKind::Api,
            // Most keys are never asked for scopes, few were ever disabled, and most models have a
            // price.
            Self::Enabled | Self::GrantedScopes | Self::Price => false,
            Self::Address => key.allowed_cidrs.is_some(),
            Self::Parallel => key.max_parallel.is_some(),
            Self::Model | Self::Tokens => key.kind == KeyKind::Inference,
            Self::Budget => key.kind == KeyKind::Inference || !key.budgets.is_empty(),
            Self::Quota => key.environment == Environment::Live,
            Self::Found | Self::Alive | Self::Requests => true,
        }
    }
}

/// The label of an outcome.
pub const fn label_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Valid => "Allowed",
        Outcome::MissingKey => "No key",
        Outcome::MalformedKey => "Malformed key",
        Outcome::UnknownKey => "Unknown key",
        Outcome::RevokedKey => "Revoked key",
        Outcome::ExpiredKey => "Expired key",
        Outcome::DisabledKey => "Disabled key",
        Outcome::WrongScope => "Wrong application",
        Outcome::IpNotAllowed => "Address not allowed",
        Outcome::ModelNotAllowed => "Model not allowed",
        Outcome::ModelNotPriced => "Model without price",
        Outcome::InsufficientScope => "Missing scope",
        Outcome::RateLimited => "Requests per minute",
        Outcome::TokenRateLimited => "Tokens per minute",
        Outcome::TooManyParallelRequests => "Calls at a time",
        Outcome::RequestBudgetExhausted => "Request budget",
        Outcome::TokenBudgetExhausted => "Token budget",
        Outcome::SpendLimitReached => "Spend limit",
        Outcome::QuotaExceeded => "Monthly quota",
        Outcome::Unavailable => "Unavailable",
    }
}

/// What somebody who sees the key can do about an outcome; nothing where its own text says that.
pub fn advice_for(outcome: Outcome) -> Option<&'static str> {
    (outcome == Outcome::InsufficientScope)
        .then_some("Grant the key the scope under Attributes, or ask for one that it has.")
}

/// The checks of a request that was denied some time ago. Only `detail` has the limits of that
/// time.
pub fn steps_of_denial(key: &ApiKey, outcome: Outcome, detail: &str) -> Vec<TraceStep> {
    steps(key, outcome, |check, failed| match check {
        _ if failed => detail.to_owned(),
        Check::Found => key.masked.to_string(),
        _ => String::new(),
    })
}

/// The checks of a request that was tried out, with the limits as they are now.
pub fn steps_of_dry_run(key: &ApiKey, call: &DryRunRequest, run: &DryRun) -> Vec<TraceStep> {
    steps(key, run.code, |check, _| match check {
        Check::Found => key.masked.to_string(),
        Check::Alive => match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", date(at)),
            (None, Some(at)) => format!("expires {}", date(at)),
            (None, None) => "never expires".to_owned(),
        },
        Check::Enabled | Check::Scope | Check::GrantedScopes | Check::Price => String::new(),
        Check::Address => call.ip.map_or_else(|| "none given".to_owned(), |ip| ip.to_string()),
        Check::Model => call.model.clone().unwrap_or_else(|| "none named".to_owned()),
        Check::Requests => run.ratelimit.map_or_else(no_limit, |state| {
            format!("{} of {}", thousands(used(state)), thousands(state.limit))
        }),
        Check::Parallel => refusing(Check::Parallel, run).map_or_else(
            || thousands(key.max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get)),
            |limit| used_in_words(&limit),
        ),
        Check::Tokens => run
            .token_ratelimit
            .map_or_else(no_limit, |state| requested_text(used(state), call.tokens, state.limit)),
        Check::Quota => run.quota.map_or_else(no_limit, quota_in_words),
        Check::Budget => budgets_in_words(key, call, run),
    })
}

/// The limit that refused the call, else what the call asks of the first token budget, else how
/// many budgets the key has.
fn budgets_in_words(key: &ApiKey, call: &DryRunRequest, run: &DryRun) -> String {
    match (refusing(Check::Budget, run), run.budget, key.budgets.len()) {
        (Some(limit), ..) => used_in_words(&limit),
        (None, Some(state), _) => requested_text(state.used, call.tokens, state.limit),
        (None, None, 0) => "none of the key".to_owned(),
        (None, None, 1) => "1 budget".to_owned(),
        (None, None, several) => format!("{several} budgets"),
    }
}

/// The limit that refused the request, if that is what `check` is about.
fn refusing(check: Check, run: &DryRun) -> Option<RefusingLimit> {
    run.limit.filter(|_| Check::of(run.code) == Some(check))
}

fn steps(key: &ApiKey, outcome: Outcome, detail: impl Fn(Check, bool) -> String) -> Vec<TraceStep> {
    let failed = Check::of(outcome);
    let mut denied = outcome == Outcome::Unavailable;
    let step = |check: Check| {
        let state = match (denied, failed == Some(check)) {
            (_, true) => CheckState::Failed,
            (true, false) => CheckState::NotReached,
            (false, false) => CheckState::Passed,
        };
        denied |= state == CheckState::Failed;
        TraceStep { label: check.label(), state, detail: detail(check, failed == Some(check)) }
    };
    Check::ALL.into_iter().filter(|check| check.applies_to(key, failed)).map(step).collect()
}

fn no_limit() -> String {
    "no limit".to_owned()
}

const fn used(state: RateLimitState) -> u64 {
    state.limit.saturating_sub(state.remaining)
}

fn requested_text(used: u64, asked: u64, limit: u64) -> String {
    let (used, asked, limit) = (thousands(used), thousands(asked), thousands(limit));
    format!("{used} used + {asked} asked, limit {limit}")
}

fn quota_in_words(state: QuotaState) -> String {
    match state.limit {
        Some(limit) => format!("{} of {} this month", thousands(state.used), short(limit)),
        None => no_limit(),
    }
}

/// What a request that was tried out came to, in a sentence.
pub fn sentence(key: &ApiKey, call: &DryRunRequest, run: &DryRun) -> String {
    let name = &key.name;
    let wait = run
        .retry_after_seconds
        .map_or_else(String::new, |seconds| format!(" Retry after {}.", seconds_in_words(seconds)));
    let is_budget = Check::of(run.code) == Some(Check::Budget);
    // The states of a run are those of the key.
    let of_level = run.limit.filter(|limit| limit.scope != LimitScope::Key);
    if let Some(limit) = of_level.filter(|_| !is_budget) {
        return format!("{}.{wait}", used_in_words(&limit));
    }
    match run.code {
        Outcome::Valid => "This request would be allowed.".to_owned(),
        Outcome::RevokedKey => match key.revoked_at {
            Some(at) => format!("{name} was revoked on {}.", date(at)),
            None => run.detail.clone(),
        },
        Outcome::ExpiredKey => match key.expires_at {
            Some(at) => format!("{name} expired on {}.", date(at)),
            None => run.detail.clone(),
        },
        Outcome::DisabledKey => {
            format!("{name} is disabled. Enable it to let its calls through again.")
        }
        Outcome::ModelNotAllowed => format!(
            "This key can use {}. The request asked for {}.",
            models_in_words(key.allowed_models.as_ref()),
            call.model.as_deref().unwrap_or("no model")
        ),
        Outcome::RateLimited => {
            let limit = run.ratelimit.map(|state| state.limit).unwrap_or_default();
            format!("All {} requests for this minute were used.{wait}", thousands(limit))
        }
        Outcome::TokenRateLimited => {
            let left = run.token_ratelimit.map(|state| state.remaining).unwrap_or_default();
            let missing = thousands(call.tokens.saturating_sub(left));
            let never = if run.retry_after_seconds.is_none() {
                " A request of that size never fits."
            } else {
                ""
            };
            format!("It needed {missing} more tokens than this minute had left.{wait}{never}")
        }
        Outcome::RequestBudgetExhausted
        | Outcome::TokenBudgetExhausted
        | Outcome::SpendLimitReached => match (&run.limit, run.budget) {
            (Some(limit), _) => budget_in_words(limit),
            (None, Some(state)) => token_budget_in_words(&state),
            (None, None) => run.detail.clone(),
        },
        Outcome::QuotaExceeded => match run.quota {
            Some(QuotaState { limit: Some(limit), used, resets_at }) => format!(
                "{} of {} live requests are used this month. The quota resets on {}.",
                thousands(used),
                thousands(limit),
                date(resets_at)
            ),
            _ => run.detail.clone(),
        },
        Outcome::MissingKey
        | Outcome::MalformedKey
        | Outcome::UnknownKey
        | Outcome::WrongScope
        | Outcome::InsufficientScope
        | Outcome::IpNotAllowed
        | Outcome::ModelNotPriced
        | Outcome::TooManyParallelRequests
        | Outcome::Unavailable => run.detail.clone(),
    }
}

fn seconds_in_words(seconds: u64) -> String {
    if seconds == 1 { "1 second".to_owned() } else { format!("{} seconds", thousands(seconds)) }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::api::TokenBudget;
    use latchkey_domain::limit::Period;
    use latchkey_domain::time::Timestamp;

    use super::*;
    use crate::keys::sample;

    fn key(more: &serde_json::Value) -> ApiKey {
        let mut fields = serde_json::json!({
            "environment": "test", "masked": "lk_test_7Qm2...x9Kd", "rpm": 60, "tpm": 12000,
            "allowed_models": ["qwen3.6-27b", "bge-m3"],
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sample::key(&fields)
    }

    fn run(code: Outcome) -> DryRun {
        DryRun {
            code,
            detail: code.detail().to_owned(),
            retry_after_seconds: None,
            ratelimit: None,
            token_ratelimit: None,
            quota: None,
            budget: None,
            limit: None,
        }
    }

    fn call() -> DryRunRequest {
        DryRunRequest { model: Some("llama-3.1-8b".to_owned()), ip: None, tokens: 1_220 }
    }

    fn states(steps: &[TraceStep]) -> Vec<(&'static str, CheckState)> {
        steps.iter().map(|step| (step.label, step.state)).collect()
    }

    #[test]
    fn what_comes_after_the_failed_check_was_not_reached() {
        use CheckState::{Failed, NotReached, Passed};
        let key = key(&serde_json::json!({}));
        let steps = steps_of_dry_run(&key, &call(), &run(Outcome::ModelNotAllowed));
        assert_eq!(
            states(&steps),
            [
                ("Key found", Passed),
                ("Not revoked, not expired", Passed),
                ("Requests per minute", Passed),
                ("Model allowed", Failed),
                ("Tokens per minute", NotReached),
                ("Budgets", NotReached),
            ]
        );
        assert_eq!(steps[1].detail, "never expires");
        assert_eq!(steps[3].detail, "llama-3.1-8b");
        assert_eq!(steps[5].detail, "none of the key", "the project may have some");
        let full = steps_of_dry_run(&key, &call(), &run(Outcome::TooManyParallelRequests));
        assert_eq!(full[3].detail, "64", "the key sets none of its own");
    }

    #[test]
    fn trace_passes_every_check_when_request_is_admitted() {
        let key =
            key(&serde_json::json!({ "environment": "live", "allowed_cidrs": ["10.0.0.0/8"] }));
        let of = |outcome| steps_of_dry_run(&key, &call(), &run(outcome));
        assert!(of(Outcome::Valid).iter().all(|step| step.state == CheckState::Passed));
        assert!(of(Outcome::Unavailable).iter().all(|step| step.state == CheckState::NotReached));
        assert_eq!(of(Outcome::Valid).len(), 8, "address and quota are checked too");
    }

    #[test]
    fn every_denial_fails_one_check() {
        let key = key(&serde_json::json!({}));
        for outcome in Outcome::ALL {
            let steps = steps_of_denial(&key, outcome, "Because.");
            let failed = steps.iter().filter(|step| step.state == CheckState::Failed);
            let details: Vec<&str> = failed.map(|step| step.detail.as_str()).collect();
            let is_denial = !matches!(outcome, Outcome::Valid | Outcome::Unavailable);
            assert_eq!(details, if is_denial { vec!["Because."] } else { vec![] }, "{outcome:?}");
        }
    }

    #[test]
    fn the_sentence_names_the_limit() {
        let key = key(&serde_json::json!({}));
        let said = |run: &DryRun| sentence(&key, &call(), run);
        assert_eq!(
            said(&run(Outcome::ModelNotAllowed)),
            "This key can use qwen3.6-27b and bge-m3. The request asked for llama-3.1-8b."
        );
        let full = RateLimitState { limit: 60, remaining: 0, reset_seconds: 9.0 };
        let limited = DryRun {
            ratelimit: Some(full),
            retry_after_seconds: Some(9),
            ..run(Outcome::RateLimited)
        };
        assert_eq!(
            said(&limited),
            "All 60 requests for this minute were used. Retry after 9 seconds."
        );
        let left = RateLimitState { limit: 12_000, remaining: 760, reset_seconds: 9.0 };
        let limited = DryRun {
            token_ratelimit: Some(left),
            retry_after_seconds: Some(9),
            ..run(Outcome::TokenRateLimited)
        };
        assert_eq!(
            said(&limited),
            "It needed 460 more tokens than this minute had left. Retry after 9 seconds."
        );
        let resets_at = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let state = TokenBudget {
            limit: 5_000_000,
            used: 5_000_000,
            remaining: 0,
            period: Period::Month,
            resets_at: Some(resets_at),
        };
        assert_eq!(
            said(&DryRun { budget: Some(state), ..run(Outcome::TokenBudgetExhausted) }),
            "5,000,000 of 5,000,000 tokens are used this month. The budget resets on June 1, 2026 at \
             00:00 UTC."
        );
    }

    #[test]
    fn every_outcome_has_a_sentence() {
        let revoked = key(&serde_json::json!({ "revoked_at": "2026-05-03T00:00:00Z" }));
        for outcome in Outcome::ALL {
            assert!(sentence(&revoked, &call(), &run(outcome)).ends_with('.'), "{outcome:?}");
        }
        assert_eq!(
            sentence(&revoked, &call(), &run(Outcome::RevokedKey)),
            "Support was revoked on May 3, 2026."
        );
    }
}
