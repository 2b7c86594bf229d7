//! Threads that work behind the calls: they take what processor time the checks leave.
//!
//! Reading and storing telemetry is most of what a busy node does, and none of it is urgent. On
//! Linux, where priorities are a thread's, these threads get a lower one; elsewhere they compete
//! with the others.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use tokio::sync::oneshot;

/// The name of the thread that writes SQLite's telemetry; Linux keeps 15 bytes of a name.
pub const WRITER: &str = "telemetry-write";
const WORKER: &str = "telemetry-read";
/// About a tenth of the time of a thread that competes with it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// Half of the processors, at least one: the threads that take bodies apart.
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
    // On Linux, "this process" is the thread that asks.
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

/// Does something on a thread in the background. A panic in it is told like any other.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
    let work = Box::new(move || {
        // Whoever asked may have gone.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    });
    let sent = WORKERS.lock().unwrap_or_else(PoisonError::into_inner).send(work);
    match (sent, result.await) {
        (Ok(()), Ok(Ok(value))) => value,
        (_, Ok(Err(panic))) => resume_unwind(panic),
        (_, Err(_)) | (Err(_), _) => unreachable!("the workers live as long as the process"),
    }
}

/// Lowers the priority of this process's threads of that name.
#[cfg(target_os = "linux")]
pub fn stand_back(name: &str) {
    use rustix::process::{Pid, setpriority_process};

    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
    for task in tasks.flatten() {
        let is_meant = std::fs::read_to_string(task.path().join("comm"))
            .is_ok_and(|comm| comm.trim_end() == name);
        let id = task.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| is_meant) {
            // A system that forbids it loses nothing but the order.
            let _ = setpriority_process(Some(id), NICENESS);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub const fn stand_back(_name: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_its_panics_come_back() {
        let here = thread::current().id();
        assert_ne!(run(|| thread::current().id()).await, here);
        let panicking = tokio::spawn(run(|| panic!("told"))).await;
        assert!(panicking.unwrap_err().is_panic());
        assert_eq!(run(|| 7).await, 7, "the worker goes on");
    }
}
