//! Standard output and standard error: who reads them decides what is written.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use rustix::termios::tcgetwinsize;

use crate::failure::{Done, one_line};

/// Columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;
/// Columns that even the narrowest terminal is taken to have.
const LEAST_WIDTH: usize = 20;

/// How standard output and standard error are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Columns of the terminal that standard output is, if it is one.
    pub(crate) width: Option<usize>,
    /// Whether to color what is written to it.
    pub(crate) color: bool,
    /// Whether somebody watches standard error.
    pub(crate) watched: bool,
}

impl Screen {
    pub(crate) fn of_process() -> Self {
        let stdout = io::stdout();
        let width = stdout.is_terminal().then(|| {
            let size = tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
            if size == 0 { USUAL_WIDTH } else { size.max(LEAST_WIDTH) }
        });
        // `NO_COLOR`, `TERM=dumb` and the like are decided as for clap's own messages.
        let color = width.is_some() && AutoStream::choice(&stdout) != ColorChoice::Never;
        Self { width, color, watched: io::stderr().is_terminal() }
    }

    /// Prints the body of an answer as it is.
    pub(crate) fn print_body(self, body: &[u8]) -> Done {
        print(body)?;
        self.end_line(body)
    }

    /// Ends the last line, if it is a person who reads and not a program that wants the bytes.
    pub(crate) fn end_line(self, last: &[u8]) -> Done {
        let open = self.width.is_some() && !last.is_empty() && !last.ends_with(b"\n");
        if open { print(b"\n") } else { Ok(()) }
    }
}

/// Writes to standard output.
pub(crate) fn print(bytes: &[u8]) -> Done {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// Writes a line to standard error, without secrets. There is nowhere to report that it is closed.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", one_line(line));
}

/// A number and what there is of it: "1 key", "2 keys".
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Replaces the line on standard error that shows how far something is.
pub(crate) fn show_progress(line: &str) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "\r\x1b[K{line}");
    let _ = err.flush();
}

/// Removes the line that shows how far something is.
pub(crate) fn clear_progress() {
    show_progress("");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_counted_as_several() {
        for (count, expected) in [(0, "0 keys"), (1, "1 key"), (2, "2 keys")] {
            assert_eq!(counted(count, "key"), expected);
        }
    }
}
