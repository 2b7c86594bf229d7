//! Low-priority threads for background work: they use the processor time that checks leave.
//!
//! Parsing and storing telemetry is most of the work of a busy node, and none of it is urgent. On
//! Linux, where each thread has its own priority, these threads get a lower one. Elsewhere they
//! compete with the others.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use tokio::sync::oneshot;

/// Name of the thread that writes SQLite's telemetry. Linux keeps 15 bytes of a name.
pub const WRITER: &str = "telemetry-write";
const WORKER: &str = "telemetry-read";
/// About a tenth of the processor time of a thread that competes with it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// The threads that parse request bodies: half the number of processors, at least one.
static WORKERS: LazyLock<Mutex<Sender<Work>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Work>();
    let receiver = Arc::new(Mutex::new(receiver));
    let workers = available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
    for _ in 0..workers {
        let receiver = Arc::clone(&receiver);
        let started = thread::Builder::new().name(WORKER.to_owned()).spawn(move || work(&receiver));
        if let Err(error) = started {
            tracing::error!(%error, "Failed to start a telemetry worker thread");
        }
    }
    Mutex::new(sender)
});

fn work(receiver: &Mutex<Receiver<Work>>) {
    // On Linux, "this process" means the calling thread here.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(work) => work(),
            Err(_) => return,
        }
    }
}

/// Runs a closure on a background thread. A panic in it resumes in the caller.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
    let work = Box::new(move || {
        // The caller may have been cancelled.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    });
    let sent = WORKERS.lock().unwrap_or_else(PoisonError::into_inner).send(work);
    match (sent, result.await) {
        (Ok(()), Ok(Ok(value))) => value,
        (_, Ok(Err(panic))) => resume_unwind(panic),
        (_, Err(_)) | (Err(_), _) => unreachable!("the workers live as long as the process"),
    }
}

/// Lowers the priority of this process's threads with this name.
#[cfg(target_os = "linux")]
pub fn lower_priority(name: &str) {
    use rustix::process::{Pid, setpriority_process};

    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
    for task in tasks.flatten() {
        let is_meant = std::fs::read_to_string(task.path().join("comm"))
            .is_ok_and(|comm| comm.trim_end() == name);
        let id = task.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| is_meant) {
            // If the system forbids it, the thread keeps its priority. Nothing else is lost.
            let _ = setpriority_process(Some(id), NICENESS);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub const fn lower_priority(_name: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_on_another_thread_and_panics_propagate() {
        let here = thread::current().id();
        assert_ne!(run(|| thread::current().id()).await, here);
        let panicking = tokio::spawn(run(|| panic!("on purpose"))).await;
        assert!(panicking.unwrap_err().is_panic());
        assert_eq!(run(|| 7).await, 7, "the worker goes on");
    }
}
