//! The shapes of requests and answers that the API, the server functions and the pages share.

mod accounts;
mod audit;
mod dry_run;
mod key_requests;
mod keys;
mod members;
mod page;
mod telemetry;
mod usage;
mod verify;
mod workspace;

pub use accounts::{Me, RefreshRequest, Session, SessionEndReason, SessionTokens, SignInEntry};
pub use audit::{AuditActor, AuditChange, AuditEvent, AuditFilter, AuditTarget};
pub use dry_run::{DryRun, DryRunRequest, QuotaState};
pub use key_requests::{
    InferenceKeyRequest, KeyFilter, KeyPatch, KeyRequest, KeySort, MAX_GRACE_SECONDS, RotateRequest,
};
pub use keys::{ApiKey, ApplicationKeyRequest, CreatedKey, ListedKey, OldSecret, RevealedSecret};
pub use members::{
    Invitation, InvitingOrganization, ListedMember, Member, MemberPatch, MemberRequest,
};
pub use page::{InvalidLimit, Page, PageLimit};
pub use telemetry::{
    Accepted, IngestedLog, IngestedTrace, ItemError, LogBatch, LogEntry, SpanKind, SpanStatus,
    TraceBatch, TraceEntry,
};
pub use usage::{
    HourOfUse, KeyActivity, LastUsed, RecentDenial, TokenSum, Usage, UsageBucket, UsageTotals,
};
pub use verify::{BudgetState, PresentedSecret, RateLimitState, VerifyAnswer, VerifyRequest};
pub use workspace::{
    Application, ApplicationContext, ApplicationEnvironment, ApplicationPatch, ApplicationRequest,
    Organization, OrganizationPatch, OrganizationRequest, PlanUse, Project, ProjectPatch,
    ProjectRequest, TierOverridesPatch,
};

use serde::{Deserialize, Deserializer};

/// A field that is there, be it null; `default` stands for one that is not.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
