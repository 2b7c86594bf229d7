//! How a response of the Responses API has ended.

use super::ResponseScanner;
use crate::accounting::reported::ReportedUsage;

/// A status that does not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinalStatus {
    /// Somebody has cancelled it. Many upstreams then do not tell what it has used.
    Cancelled,
    /// It is completed or incomplete, or has failed.
    Ended,
}

impl ResponseScanner {
    /// How the response has ended. None while it goes on, and before all of it was read.
    pub(crate) fn final_status(&self) -> Option<FinalStatus> {
        match self.status.as_slice() {
            _ if !self.ended => None,
            b"completed" | b"incomplete" | b"failed" => Some(FinalStatus::Ended),
            b"cancelled" => Some(FinalStatus::Cancelled),
            _ => None,
        }
    }

    /// Whether any usage is reported.
    pub(crate) fn has_usage(&self) -> bool {
        self.reported != ReportedUsage::default()
    }
}
