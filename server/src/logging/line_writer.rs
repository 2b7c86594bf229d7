//! Writes log lines, several at once if many come.
//!
//! A call of the system for the line of each request takes about as long as the checks of its key.
//! So after [`DIRECT_LINES`] within [`INTERVAL`], further lines that may wait are written together
//! at the end of that interval. A line that may not wait is written at once, after those that do.
//! A process that is killed loses at most an interval's lines; one that ends has to
//! [finish](LineWriter::finish).

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a line waits at most.
const INTERVAL: Duration = Duration::from_millis(10);
/// Lines within an interval that are written at once.
const DIRECT_LINES: usize = 16;
/// Waiting lines are written when there are more bytes than this.
const MAX_WAITING_BYTES: usize = 64 * 1024;

/// Writes lines to `W`.
pub(super) struct LineWriter<W> {
    lines: Mutex<Lines<W>>,
    /// Notified when an interval begins.
    begun: Condvar,
}

struct Lines<W> {
    out: W,
    waiting: Vec<u8>,
    /// How many more are written at once in this interval.
    direct: usize,
    /// Whether an interval has begun, at the end of which waiting lines are written.
    is_timed: bool,
    /// Whether no line may wait.
    is_direct: bool,
}

impl<W: Write> Lines<W> {
    fn write_waiting(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.out.write_all(&self.waiting);
        self.waiting.clear();
        written
    }
}

impl<W: Write + Send + 'static> LineWriter<W> {
    /// Writes to `out`, with a thread for lines that wait. Without one, none waits.
    pub(super) fn start(out: W) -> Arc<Self> {
        let lines = Lines {
            out,
            waiting: Vec::new(),
            direct: DIRECT_LINES,
            is_timed: false,
            is_direct: false,
        };
        let writer = Arc::new(Self { lines: Mutex::new(lines), begun: Condvar::new() });
        let of_thread = Arc::clone(&writer);
        let thread = thread::Builder::new().name("log".to_owned());
        if thread.spawn(move || of_thread.write_in_time()).is_err() {
            writer.lines().is_direct = true;
        }
        writer
    }

    /// Writes a whole line.
    ///
    /// # Errors
    /// The line or one before it could not be written.
    pub(super) fn write(&self, line: &[u8], may_wait: bool) -> io::Result<()> {
        let mut lines = self.lines();
        if may_wait && lines.direct == 0 && !lines.is_direct {
            lines.waiting.extend_from_slice(line);
            let is_full = lines.waiting.len() > MAX_WAITING_BYTES;
            return if is_full { lines.write_waiting() } else { Ok(()) };
        }
        lines.direct = lines.direct.saturating_sub(1);
        let begins = !mem::replace(&mut lines.is_timed, true);
        let before = lines.write_waiting();
        let written = lines.out.write_all(line);
        drop(lines);
        if begins {
            self.begun.notify_one();
        }
        before.and(written)
    }

    /// Writes all lines, and from now on each at once.
    pub(super) fn finish(&self) {
        let mut lines = self.lines();
        lines.is_direct = true;
        // There is nowhere to tell of a failure.
        let _ = lines.write_waiting().and_then(|()| lines.out.flush());
    }

    fn write_in_time(&self) {
        let mut lines = self.lines();
        loop {
            while !lines.is_timed {
                lines = self.begun.wait(lines).unwrap_or_else(PoisonError::into_inner);
            }
            let timed = self.begun.wait_timeout(lines, INTERVAL);
            lines = timed.unwrap_or_else(PoisonError::into_inner).0;
            // There is nowhere to tell of a failure.
            let _ = lines.write_waiting();
            // Without a line in this interval, the next one begins with a line.
            lines.is_timed = lines.direct < DIRECT_LINES;
            lines.direct = DIRECT_LINES;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines<W>> {
        // A writer that panics has lost a line at most.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct SharedLines(Arc<Mutex<Vec<u8>>>);

    impl SharedLines {
        fn lines(&self) -> usize {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().count()
        }
    }

    impl Write for SharedLines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn numbered(writer: &LineWriter<SharedLines>, count: usize) -> String {
        let mut all = String::new();
        for number in 0..count {
            let line = format!("{number}\n");
            writer.write(line.as_bytes(), true).unwrap();
            all.push_str(&line);
        }
        all
    }

    #[test]
    fn lines_are_complete_and_in_order_at_the_end() {
        let shared = SharedLines::default();
        let writer = LineWriter::start(shared.clone());
        let mut all = numbered(&writer, 50_000);
        writer.finish();
        assert_eq!(*shared.0.lock().unwrap(), all.as_bytes());
        all += &numbered(&writer, 3 * DIRECT_LINES);
        assert_eq!(*shared.0.lock().unwrap(), all.as_bytes(), "none waits after the end");
    }

    #[test]
    fn few_lines_are_written_at_once() {
        let shared = SharedLines::default();
        let writer = LineWriter::start(shared.clone());
        numbered(&writer, DIRECT_LINES);
        assert_eq!(shared.lines(), DIRECT_LINES);
    }

    #[test]
    fn line_that_may_not_wait_follows_those_that_do() {
        let shared = SharedLines::default();
        let writer = LineWriter::start(shared.clone());
        let all = numbered(&writer, 3 * DIRECT_LINES) + "last\n";
        writer.write(b"last\n", false).unwrap();
        assert_eq!(*shared.0.lock().unwrap(), all.as_bytes());
    }

    #[test]
    fn waiting_lines_are_written_soon() {
        let shared = SharedLines::default();
        let writer = LineWriter::start(shared.clone());
        numbered(&writer, 3 * DIRECT_LINES);
        for _ in 0..500 {
            if shared.lines() == 3 * DIRECT_LINES {
                return;
            }
            thread::park_timeout(INTERVAL);
        }
        panic!("{} lines", shared.lines());
    }
}
