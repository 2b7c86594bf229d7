//! Sharded counters: each thread adds to its own shard, so that processors do not contend for a
//! cache line on every call. Reading sums the shards, as Java's `LongAdder` does.

use std::sync::atomic::{AtomicUsize, Ordering};

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// Shard of the current thread, out of `stripes`. Threads share shards if there are more of them.
pub fn of_thread(stripes: usize) -> usize {
    THREAD.with(|thread| thread % stripes)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn thread_keeps_its_shard_and_next_thread_gets_another() {
        let own = of_thread(1_000_000);
        assert_eq!(of_thread(1_000_000), own);
        let other = thread::spawn(|| of_thread(1_000_000)).join().unwrap();
        assert_ne!(own, other);
        assert_eq!(of_thread(1), 0);
    }
}
