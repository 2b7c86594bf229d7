//! wrk, which most people measure HTTP servers with, beside the load generator of the benches.
//!
//! It sends the same prepared requests from as many connections and one thread. It looks at the
//! status of a response and not at its body, so a bench loads with its own generator first.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::mixed::MixedLoad;

/// wrk, ready to send the requests of a load.
pub struct Wrk {
    /// Holds the script and the requests.
    folder: TempDir,
    arguments: [String; 3],
    url: String,
}

/// What wrk told of a run.
#[derive(Debug, PartialEq)]
pub struct WrkReport {
    /// Number of responses.
    pub requests: u32,
    /// Responses per second.
    pub per_second: f64,
    /// Median time of a response, in milliseconds.
    pub p50: f64,
    /// 99th percentile of the times, in milliseconds.
    pub p99: f64,
}

/// Whether wrk is installed.
#[must_use]
pub fn is_installed() -> bool {
    // It ends with 1 after telling its version.
    Command::new("wrk").arg("--version").output().is_ok()
}

impl Wrk {
    /// Prepares wrk for a load.
    ///
    /// # Errors
    /// The files of the requests can't be written.
    pub fn new(load: &MixedLoad) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut file = Vec::new();
        for request in load.requests.iter() {
            file.extend_from_slice(format!("{}\n", request.len()).as_bytes());
            file.extend_from_slice(request);
        }
        let requests = folder.path().join("requests");
        std::fs::write(&requests, file)?;
        std::fs::write(folder.path().join("script.lua"), script(&requests.display().to_string())?)?;
        let arguments = [
            "-t1".to_owned(),
            format!("-c{}", load.connections),
            format!("-d{}s", load.duration.as_secs().max(1)),
        ];
        Ok(Self { folder, arguments, url: format!("http://{}/", load.address) })
    }

    /// Sends requests for the duration of the load.
    ///
    /// # Errors
    /// A response is not a success, a connection breaks, or wrk is not there.
    pub fn run(&self) -> anyhow::Result<WrkReport> {
        let output = Command::new("wrk")
            .args(&self.arguments)
            .arg("--latency")
            .arg("-s")
            .arg(self.folder.path().join("script.lua"))
            .arg(&self.url)
            .output()
            .context("wrk can't be started")?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "wrk failed: {told} {errors}");
        parse(&told)
    }
}

/// A script that sends the requests of a file in turn. Each is preceded there by its length.
fn script(requests: &str) -> anyhow::Result<String> {
    let mut script = String::new();
    writeln!(script, "local file = assert(io.open({requests:?}, 'rb'))")?;
    script.push_str(
        "local requests, at = {}, 0
while true do
  local length = file:read('*n')
  if not length then break end
  file:read(1)
  requests[#requests + 1] = file:read(length)
end
file:close()
function request()
  at = at % #requests + 1
  return requests[at]
end
",
    );
    Ok(script)
}

fn parse(told: &str) -> anyhow::Result<WrkReport> {
    let after = |name: &str| {
        let mut lines = told.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(name)).map(str::trim)
    };
    for wrong in ["Non-2xx or 3xx responses:", "Socket errors:"] {
        ensure!(after(wrong).is_none(), "wrk saw errors: {told}");
    }
    let requests = told.lines().find_map(|line| line.split_once(" requests in ")).map(|(n, _)| n);
    let missing = || format!("wrk told something else: {told}");
    Ok(WrkReport {
        requests: requests.with_context(missing)?.trim().parse()?,
        per_second: after("Requests/sec:").with_context(missing)?.parse()?,
        p50: milliseconds(after("50%").with_context(missing)?)?,
        p99: milliseconds(after("99%").with_context(missing)?)?,
    })
}

/// Parses `931.00us`, `3.43ms`, `1.20s` or `1.00m`.
fn milliseconds(time: &str) -> anyhow::Result<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)];
    let of =
        |(unit, factor): (&str, f64)| Some(time.strip_suffix(unit)?.parse::<f64>().ok()? * factor);
    units.into_iter().find_map(of).with_context(|| format!("wrk told the time {time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "Running 2s test @ http://127.0.0.1:3000/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.43ms    2.33ms  31.03ms   92.15%
    Req/Sec     2.52k   725.57     3.42k    60.00%
  Latency Distribution
     50%  931.00us
     75%    3.81ms
     90%    5.04ms
     99%   12.40ms
  5018 requests in 2.00s, 602.75KB read
Requests/sec:   2505.96
Transfer/sec:    301.01KB
";

    #[test]
    fn report_of_wrk_is_parsed() {
        let report = parse(TOLD).unwrap();
        let expected = WrkReport { requests: 5_018, per_second: 2_505.96, p50: 0.931, p99: 12.4 };
        assert_eq!(report, expected);
        assert!((milliseconds("1.50s").unwrap() - 1_500.0).abs() < f64::EPSILON);
    }

    #[test]
    fn refused_requests_fail_the_run() {
        assert!(parse(&format!("{TOLD}  Non-2xx or 3xx responses: 3\n")).is_err());
        assert!(parse(&format!("{TOLD}  Socket errors: connect 0, read 1, write 0\n")).is_err());
        assert!(parse("").is_err());
    }
}
