//! Records the result of a check: in the counters for metrics, and in the usage for charts.

use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::checker::Checker;
use crate::outcome::Denial;
use crate::request::{CheckRequest, IdentifiedKey};

pub(crate) fn count(
    checker: &Checker,
    identity: &IdentifiedKey,
    call: CheckRequest<'_>,
    denial: Option<&Denial>,
    now: Timestamp,
) {
    match denial {
        None => checker.counters.checked(Outcome::Valid),
        Some(denial) => record_denial(checker, identity, call, denial, now),
    }
}

pub(crate) fn record_denial(
    checker: &Checker,
    identity: &IdentifiedKey,
    call: CheckRequest<'_>,
    denial: &Denial,
    now: Timestamp,
) {
    checker.counters.checked(denial.outcome);
    checker.usage.denied(&identity.used(call, now, denial.outcome), &denial.detail);
}
