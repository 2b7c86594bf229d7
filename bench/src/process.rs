//! How much processor time another process has used.

use std::time::Duration;

use anyhow::Context;

/// User and system time of a process since its start, all threads together.
///
/// # Errors
/// The process is gone, or this system does not tell.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    if cfg!(target_os = "linux") { from_proc(pid) } else { from_ps(pid) }
}

fn from_proc(pid: u32) -> anyhow::Result<Duration> {
    /// Linux counts in hundredths of a second for programs, whatever the kernel counts in
    /// (`USER_HZ`).
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the name, may hold anything but ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').context("/proc has another form")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Ok(TICK * ticks.sum::<Result<u32, _>>()?)
}

fn from_ps(pid: u32) -> anyhow::Result<Duration> {
    let output = std::process::Command::new("ps")
        .args(["-o", "time=", "-p", &pid.to_string()])
        .output()
        .context("ps")?;
    parse(std::str::from_utf8(&output.stdout)?.trim())
}

/// `MM:SS.hh` or `HH:MM:SS`, as `ps` has it.
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
    fn times_of_ps_are_read() {
        assert_eq!(parse("0:01.50").unwrap(), Duration::from_millis(1_500));
        assert_eq!(parse("01:02:03").unwrap(), Duration::from_secs(3_723));
        assert!(parse("").is_err());
    }

    #[test]
    fn our_own_time_passes() {
        let before = cpu_time(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while cpu_time(std::process::id()).unwrap() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
