//! Request and response types shared by the API, the server functions and the dashboard.

mod accounts;
mod audit;
mod budget;
mod dry_run;
mod grouped_usage;
mod key_requests;
mod key_view;
mod keys;
mod members;
mod page;
mod telemetry;
mod telemetry_filter;
mod upstreams;
mod usage;
mod verify;
mod workspace;

pub use accounts::{Me, RefreshRequest, Session, SessionEndReason, SessionTokens, SignInEntry};
pub use audit::{AuditActor, AuditChange, AuditEvent, AuditFilter, AuditTarget};
pub use budget::{BudgetEvent, BudgetState, LimitUnit, RefusingLimit, TokenBudget};
pub use dry_run::{DryRun, DryRunRequest, QuotaState};
pub use grouped_usage::{GroupedUsage, UsageGroup, UsageGrouping};
pub use key_requests::{
    InferenceKeyRequest, KeyFilter, KeyPatch, KeyRequest, KeySort, MAX_GRACE_SECONDS, RotateRequest,
};
pub use key_view::KeyView;
pub use keys::{ApiKey, ApplicationKeyRequest, CreatedKey, ListedKey, OldSecret, RevealedSecret};
pub use members::{
    Invitation, InvitingOrganization, ListedMember, Member, MemberPatch, MemberRequest,
};
pub use page::{InvalidPageLimit, Page, PageLimit};
pub use telemetry::{
    Accepted, IngestedLog, IngestedTrace, ItemError, LogBatch, LogEntry, SpanKind, SpanStatus,
    TraceBatch, TraceEntry,
};
pub use telemetry_filter::{LogFilter, TraceFilter};
pub use upstreams::{UpstreamFailure, UpstreamList, UpstreamReport};
pub use usage::{
    HourOfUse, KeyActivity, LastUsed, ProjectUsageFilter, RecentDenial, Usage, UsageBucket,
    UsageTotals,
};
pub use verify::{PresentedSecret, RateLimitState, VerifyAnswer, VerifyRequest};
pub use workspace::{
    Application, ApplicationContext, ApplicationEnvironment, ApplicationPatch, ApplicationRequest,
    KeyDefaults, Organization, OrganizationPatch, OrganizationRequest, PlanUse, Project,
    ProjectPatch, ProjectRequest, TierOverridesPatch,
};

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Distinguishes an explicit null from an absent field. The field's `default` covers the latter.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Like [`present`], for a field that is an object or null. By default serde would also read a
/// struct from an array of its fields' values.
#[expect(clippy::option_option, reason = "absent and null are not the same")]
fn present_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(Object(PhantomData)).map(Some)
}
