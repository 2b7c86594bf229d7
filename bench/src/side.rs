//! Figures of one of the sides that a bench compares, over all rounds.

use std::time::Duration;

use crate::load::Measured;
use crate::mixed::{self, MixedLoad};
use crate::wrk::Wrk;
use crate::{process, report, statistics};

/// Figures of each round.
#[derive(Default)]
pub struct Side {
    /// Responses per second.
    pub per_second: Vec<f64>,
    /// Median times of a response, in milliseconds.
    pub p50: Vec<f64>,
    /// 99th percentiles of these times.
    pub p99: Vec<f64>,
    /// Processor time of the server, in microseconds for each request.
    pub cpu: Vec<f64>,
    /// Processor time of the load generator, likewise. wrk's is not known.
    generator: Vec<f64>,
}

impl Side {
    /// Adds a round. `cpu` returns the processor time that the server has used.
    ///
    /// # Errors
    /// A response is not as expected, a connection breaks, or the server has ended.
    pub async fn round(
        &mut self,
        load: &MixedLoad,
        cpu: impl Fn() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<()> {
        let own = || process::cpu_time(std::process::id());
        let (before, own_before) = (cpu()?, own()?);
        let measured: Measured = mixed::run(load).await?;
        let (used, own_used) = (cpu()?.saturating_sub(before), own()?.saturating_sub(own_before));
        let times: Vec<_> = measured.exchanges.iter().map(|exchange| exchange.whole).collect();
        #[expect(clippy::cast_precision_loss, reason = "no bench makes as many requests")]
        let per_request = |time: Duration| time.as_secs_f64() * 1e6 / times.len() as f64;
        self.cpu.push(per_request(used));
        self.generator.push(per_request(own_used));
        self.per_second.push(measured.per_second());
        self.p50.push(statistics::percentile(times.clone(), 50).as_secs_f64() * 1e3);
        self.p99.push(statistics::percentile(times, 99).as_secs_f64() * 1e3);
        Ok(())
    }

    /// As [`Self::round`], by wrk.
    ///
    /// # Errors
    /// wrk saw an error, or the server has ended.
    pub fn wrk_round(
        &mut self,
        wrk: &Wrk,
        cpu: impl Fn() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<()> {
        let before = cpu()?;
        let told = wrk.run()?;
        let used = cpu()?.saturating_sub(before);
        self.cpu.push(used.as_secs_f64() * 1e6 / f64::from(told.requests));
        self.per_second.push(told.per_second);
        self.p50.push(told.p50);
        self.p99.push(told.p99);
        Ok(())
    }

    /// A row of the table: the medians.
    #[must_use]
    pub fn row(&self, name: &str) -> Vec<String> {
        let figures = [&self.per_second, &self.p50, &self.p99, &self.cpu, &self.generator];
        let figures = figures.map(|all| match all.as_slice() {
            [] => String::new(),
            all => format!("{:.3}", statistics::median(all.to_vec())),
        });
        std::iter::once(name.to_owned()).chain(figures).collect()
    }
}

/// Prints the rows of several sides.
pub fn table(rows: &[Vec<String>]) {
    let head =
        ["", "requests/s", "p50 ms", "p99 ms", "server’s CPU µs/request", "generator’s µs/request"];
    report::table(&head, rows);
}

/// The median of the ratios of paired rounds: what slows the machine slows both.
#[must_use]
pub fn paired_ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    statistics::median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
}
