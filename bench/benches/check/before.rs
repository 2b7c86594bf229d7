//! An earlier build of the bench, measured alternately with this one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

/// Microseconds of a check.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) hit: f64,
    pub(crate) budget: f64,
}

/// The earlier build.
pub(crate) struct Before(PathBuf);

impl Before {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration but this")]
    pub(crate) fn find() -> Option<Self> {
        std::env::var_os("LATCHKEY_BEFORE").map(|path| Self(path.into()))
    }

    /// Runs it, for its row with a budget alone.
    pub(crate) fn measure(&self) -> anyhow::Result<Times> {
        let output = Command::new(&self.0).args(["--bench", "hit with budget"]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let hit = text.lines().find_map(|line| line.strip_prefix("figure check-hit-us "));
        let hit = hit.context("the earlier build prints no figure")?.trim().parse()?;
        let budget = text.lines().find_map(|line| line.strip_prefix("figure check-budget-us "));
        let budget = match budget {
            Some(figure) => figure.trim().parse()?,
            // It had no figure of its own.
            None => criterion_micros(&text).context("the earlier build measures no budget")?,
        };
        Ok(Times { hit, budget })
    }
}

/// The estimate in a line of criterion such as `time:   [4.1 µs 4.2 µs 4.3 µs]`.
fn criterion_micros(text: &str) -> Option<f64> {
    let (_, estimates) = text.split_once("time:")?;
    let mut words = estimates.split_once('[')?.1.split_whitespace().skip(2);
    let figure: f64 = words.next()?.parse().ok()?;
    let in_micros = match words.next()? {
        "ns" => 1e-3,
        "ms" => 1e3,
        _ => 1.0,
    };
    Some(figure * in_micros)
}
