//! Reads of a whole response whether it has ended, and what it has used.

use latchkey_checker::BackgroundUsage;

use crate::accounting::{FinalStatus, ResponseScanner, StreamUsage};
use crate::endpoint::Endpoint;

/// A response that is read as it comes. Nothing of it is buffered.
pub(super) struct ToldResponse {
    usage: StreamUsage,
    scanner: ResponseScanner,
}

impl ToldResponse {
    pub(super) fn new() -> Self {
        // The prompt's estimate is in the database.
        let usage = StreamUsage::new(Endpoint::Responses, 0);
        Self { scanner: usage.response_scanner(), usage }
    }

    /// Reads the next bytes. Returns what the response has used, once all of it has come and says
    /// that it has ended.
    ///
    /// A client can cancel a response when it has read nearly all of its stream. So one that was
    /// cancelled and does not tell what it has used costs what was reserved.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<BackgroundUsage> {
        self.scanner.read(bytes);
        Some(match self.scanner.final_status()? {
            FinalStatus::Cancelled if !self.scanner.has_usage() => BackgroundUsage::Unread,
            FinalStatus::Cancelled | FinalStatus::Ended => {
                BackgroundUsage::Told(self.usage.usage_of_response(&self.scanner))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::token_usage::TokenUsage;

    use super::*;

    fn told(json: &str, size: usize) -> Option<BackgroundUsage> {
        let mut response = ToldResponse::new();
        let parts = json.as_bytes().chunks(size);
        parts.fold(None, |told, part| response.read(part).or(told))
    }

    fn tokens(prompt: u64, completion: u64, estimated: u64) -> BackgroundUsage {
        let usage = TokenUsage { prompt, completion, estimated, ..TokenUsage::default() };
        BackgroundUsage::Told(usage)
    }

    #[test]
    fn response_tells_its_usage_when_it_has_ended() {
        const USED: &str = r#""usage": {"input_tokens": 7, "output_tokens": 3}"#;
        let said = r#""output": [{"content": [{"text": "12345678"}], "status": "completed"}]"#;
        for size in [1, 7, 1_000] {
            for status in ["completed", "incomplete", "failed", "cancelled"] {
                let json = format!(r#"{{"status": "{status}", {said}, {USED}}}"#);
                assert_eq!(told(&json, size), Some(tokens(7, 3, 0)), "{status}");
            }
            for status in ["queued", "in_progress", "completed_later", ""] {
                let json = format!(r#"{{{USED}, "status": "{status}", {said}}}"#);
                assert_eq!(told(&json, size), None, "{status}");
            }
            let untold = format!(r#"{{{said}, "status": "completed", "usage": null}}"#);
            assert_eq!(told(&untold, size), Some(tokens(0, 2, 2)), "the text is estimated");
            let cut = r#"{"status": "completed", "usage": {"input_tokens": 7}"#;
            assert_eq!(told(cut, size), None, "the end is missing");
        }
    }

    #[test]
    fn cancelled_response_without_usage_is_unread() {
        let cancelled = r#"{"status": "cancelled", "output": [], "usage": null}"#;
        assert_eq!(told(cancelled, 5), Some(BackgroundUsage::Unread));
    }
}
