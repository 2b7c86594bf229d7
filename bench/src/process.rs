//! Processor time and memory of other processes.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// User and system time of a process since its start, over all threads.
///
/// # Errors
/// The process has ended, or the system does not report it.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    if cfg!(target_os = "linux") { from_proc(pid) } else { from_ps(pid) }
}

/// Processor time of a process and its children; except on Linux, of the process alone.
///
/// # Errors
/// The process has ended, or the system does not report it.
pub fn cpu_time_of_family(pid: u32) -> anyhow::Result<Duration> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.map(|entry| entry.path().join("stat"));
    let children = stats.filter(|stat| parent(stat) == Some(pid));
    let of_children: Duration = children.filter_map(|stat| from_stat(&stat).ok()).sum();
    Ok(cpu_time(pid)? + of_children)
}

/// Memory of a process that is in RAM, in KiB.
///
/// # Errors
/// The process has ended, or the system does not report it.
pub fn resident_kib(pid: u32) -> anyhow::Result<u32> {
    if cfg!(target_os = "linux") {
        // Not `status`: its count may lag behind by 64 pages for each thread.
        let memory = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = memory.lines().find_map(|line| line.strip_prefix("Rss:"));
        let figure = line.and_then(|line| line.split_whitespace().next());
        Ok(figure.context("/proc has another form")?.parse()?)
    } else {
        Ok(ps("rss=", pid)?.parse()?)
    }
}

fn parent(stat: &Path) -> Option<u32> {
    let stat = std::fs::read_to_string(stat).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time of a process's threads whose names start with `name`; zero except on Linux.
pub fn cpu_time_of_threads(pid: u32, name: &str) -> Duration {
    of_named(&format!("/proc/{pid}/task"), name)
}

/// Processor time of all processes whose names start with `name`; zero except on Linux.
pub fn cpu_time_of_processes(name: &str) -> Duration {
    of_named("/proc", name)
}

fn of_named(folder: &str, name: &str) -> Duration {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| {
        let comm = std::fs::read_to_string(entry.path().join("comm"));
        comm.is_ok_and(|comm| comm.starts_with(name))
    });
    // A process that has ended meanwhile counts as zero.
    named.filter_map(|entry| from_stat(&entry.path().join("stat")).ok()).sum()
}

fn from_proc(pid: u32) -> anyhow::Result<Duration> {
    from_stat(Path::new(&format!("/proc/{pid}/stat")))
}

fn from_stat(stat: &Path) -> anyhow::Result<Duration> {
    /// Linux reports hundredths of a second to programs, whatever the kernel's own tick is
    /// (`USER_HZ`).
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(stat)?;
    // The second field, the name, may contain anything but ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').context("/proc has another form")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Ok(TICK * ticks.sum::<Result<u32, _>>()?)
}

fn from_ps(pid: u32) -> anyhow::Result<Duration> {
    parse(&ps("time=", pid)?)
}

fn ps(column: &str, pid: u32) -> anyhow::Result<String> {
    let output = std::process::Command::new("ps")
        .args(["-o", column, "-p", &pid.to_string()])
        .output()
        .context("ps")?;
    Ok(std::str::from_utf8(&output.stdout)?.trim().to_owned())
}

/// Parses `MM:SS.hh` or `HH:MM:SS`, as printed by `ps`.
fn parse(time: &str) -> anyhow::Result<Duration> {
    let mut seconds = 0.0;
    for part in time.split(':') {
        seconds =
            seconds * 60.0 + part.parse::<f64>().with_context(|| format!("ps says {time}"))?;
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_times_are_parsed() {
        assert_eq!(parse("0:01.50").unwrap(), Duration::from_millis(1_500));
        assert_eq!(parse("01:02:03").unwrap(), Duration::from_secs(3_723));
        assert!(parse("").is_err());
    }

    #[test]
    fn resident_memory_of_this_process_is_found() {
        assert!(resident_kib(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn cpu_time_of_this_process_increases() {
        let before = cpu_time(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while cpu_time(std::process::id()).unwrap() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
