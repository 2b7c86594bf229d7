//! Results of one of the two sides.

use std::time::Duration;

use latchkey_bench::load::Measured;
use latchkey_bench::mixed::{self, MixedLoad};
use latchkey_bench::{process, report, statistics};

/// Figures of each round.
#[derive(Default)]
pub(crate) struct Side {
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
    /// Processor time of the load generator.
    generator: Vec<f64>,
}

impl Side {
    /// Adds a round. `cpu` returns the processor time that the server has used.
    pub(crate) async fn round(
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

    fn row(&self, name: &str) -> Vec<String> {
        let figures = [&self.per_second, &self.p50, &self.p99, &self.cpu, &self.generator];
        let figures = figures.map(|all| format!("{:.3}", statistics::median(all.clone())));
        std::iter::once(name.to_owned()).chain(figures).collect()
    }
}

/// Prints both sides and their ratios.
pub(crate) fn tell(latchkey: &Side, axum: &Side) {
    let head =
        ["", "requests/s", "p50 ms", "p99 ms", "server’s CPU µs/request", "generator’s µs/request"];
    report::table(&head, &[axum.row("bare axum"), latchkey.row("latchkey verify")]);
    report::say(
        "The load generator, one thread, has the same cores as the servers: a ratio of throughputs compares what server \
         and generator cost together, and is nearer to 1 than that of the servers’ CPU.",
    );
    // The median of the ratios of paired rounds: what slows the machine slows both.
    let ratio = |ours: &[f64], theirs: &[f64]| {
        statistics::median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
    };
    report::ratio("http-verify-throughput", ratio(&latchkey.per_second, &axum.per_second));
    report::ratio("http-verify-p99", ratio(&latchkey.p99, &axum.p99));
    report::ratio("http-verify-cpu", ratio(&latchkey.cpu, &axum.cpu));
}
