//! The shapes of requests and answers that the API, the server functions and the pages share.

mod accounts;
mod key_requests;
mod keys;
mod page;
mod telemetry;
mod usage;
mod verify;
mod workspace;

pub use accounts::{Me, RefreshRequest, Tokens};
pub use key_requests::{
    InferenceKeyRequest, KeyFilter, KeyPatch, KeyRequest, KeySort, MAX_GRACE_SECONDS, RotateRequest,
};
pub use keys::{ApiKey, ApplicationKeyRequest, CreatedKey, ListedKey, OldSecret, RevealedSecret};
pub use page::{InvalidLimit, Page, PageLimit};
pub use telemetry::{
    Accepted, IngestedLog, IngestedTrace, LogBatch, LogEntry, TraceBatch, TraceEntry,
};
pub use usage::{HourOfUse, KeyActivity, LastUsed, RecentDenial, Usage, UsageBucket, UsageTotals};
pub use verify::{
    BudgetState, PresentedSecret, RateLimitState, VerifiedKey, VerifyAnswer, VerifyRequest,
};
pub use workspace::{
    Application, ApplicationContext, ApplicationEnvironment, Organization, OrganizationPatch,
    Project,
};
