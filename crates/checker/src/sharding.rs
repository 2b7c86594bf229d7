//! Stripes of counters: each thread adds to its own, so that no two processors write to the same
//! memory with every call. Reading adds them up. (Java's `LongAdder` does the same.)

use std::sync::atomic::{AtomicUsize, Ordering};

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// The stripe of the thread that asks, of so many. More threads than stripes share them.
pub fn of_thread(stripes: usize) -> usize {
    THREAD.with(|thread| thread % stripes)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_keeps_its_stripe_and_the_next_has_another() {
        let own = of_thread(1_000_000);
        assert_eq!(of_thread(1_000_000), own);
        let other = thread::spawn(|| of_thread(1_000_000)).join().unwrap();
        assert_ne!(own, other);
        assert_eq!(of_thread(1), 0);
    }
}
