//! The shapes of requests and answers that the API, the server functions and the pages share.

mod accounts;
mod keys;
mod page;
mod telemetry;
mod usage;
mod workspace;

pub use accounts::{Me, RefreshRequest, Tokens};
pub use keys::{ApiKey, ApplicationKeyRequest, CreatedKey, ListedKey, RevealedSecret};
pub use page::{InvalidLimit, Page, PageLimit};
pub use telemetry::{
    Accepted, IngestedLog, IngestedTrace, LogBatch, LogEntry, TraceBatch, TraceEntry,
};
pub use usage::{Budget, LastUsed, RecentDenial, Usage, UsageBucket, UsageTotals};
pub use workspace::{
    Application, ApplicationContext, ApplicationEnvironment, Organization, Project,
};
