//! Why a command failed: an exit code and one line.

use std::fmt;
use std::io;
use std::process::ExitCode;

use latchkey_domain::mask;

/// Longest message, in characters. A server that lists a hundred faults is asked with `--json`.
const LONGEST_MESSAGE: usize = 1_000;

/// The exit codes, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0.
    Done,
    /// 1: any other failure.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: what was named does not exist.
    NotFound,
    /// 4: the token, or the key that was checked, is not allowed to.
    NotAllowed,
    /// 5: a limit is reached.
    Limit,
    /// 6: no answer from the server.
    Unreachable,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Limit => 5,
            Self::Unreachable => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The end of a command that was not completed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Empty if there is nothing to say.
    message: String,
}

/// What a command returns.
pub(crate) type Done = Result<(), Failure>;

impl Failure {
    /// A failure with a message, of which one line is kept, without secrets.
    pub(crate) fn new(exit: Exit, message: impl AsRef<str>) -> Self {
        Self { exit, message: one_line(message.as_ref()) }
    }

    pub(crate) fn failed(message: impl AsRef<str>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(crate) fn usage(message: impl AsRef<str>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Whether there is a line to print.
    pub(crate) fn has_message(&self) -> bool {
        !self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Standard output could not be written. A reader that has seen enough, as `head`, is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Done, message: String::new() };
        }
        Self::failed(format!("Cannot write to standard output: {error}"))
    }
}

/// The text as one line that is safe to show: no secrets, no control characters, not endless.
pub(crate) fn one_line(text: &str) -> String {
    let masked = mask::secrets(text);
    let words: Vec<_> = masked.split_whitespace().collect();
    let line = words.join(" ");
    let mut shown: String =
        line.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect();
    if line.chars().nth(LONGEST_MESSAGE).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_one_line_without_secrets() {
        let secret = "lk_live_000000000000000000000000000000004cjNQE";
        let failure = Failure::failed(format!("No\n\tsuch \u{1b}[31mkey:  {secret}"));
        assert_eq!(failure.to_string(), "No such [31mkey: lk_live_0000...jNQE");
        let long = Failure::failed("é".repeat(2_000)).to_string();
        assert_eq!(long.chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn closed_pipe_is_a_silent_success() {
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((closed.exit, closed.has_message()), (Exit::Done, false));
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((full.exit, full.has_message()), (Exit::Failed, true));
    }
}
