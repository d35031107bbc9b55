//! One server's turn: produce, consume, produce at a fixed rate, and what each cost.

use std::time::Duration;

use serde::Serialize;

use super::clients::{Clients, RECORD_BYTES, paced_records};
use super::process::{Process, cpu_of_ended};

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
const KIB_PER_MIB: f64 = 1024.0;

/// How much load one turn makes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Load {
    pub(super) records: u64,
    pub(super) paced_per_second: u64,
    /// Without the warm-up of the client.
    pub(super) paced_seconds: u64,
}

impl Load {
    /// Whether a fixed-rate run that reached so many MiB/s kept its rate, within what timers allow.
    pub(super) fn is_kept_by(&self, mib_per_second: f64) -> bool {
        let wanted = (self.paced_per_second * RECORD_BYTES) as f64 / (KIB_PER_MIB * KIB_PER_MIB);
        mib_per_second >= wanted * 0.97
    }
}

/// What one turn measured. GiB are those of the records' values.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Turn {
    pub(super) server: String,
    pub(super) round: u32,
    pub(super) records: u64,
    pub(super) produce_mib_per_second: f64,
    pub(super) produce_cpu_seconds_per_gib: f64,
    pub(super) produce_client_cpu_seconds_per_gib: f64,
    pub(super) consume_mib_per_second: f64,
    pub(super) consume_cpu_seconds_per_gib: f64,
    pub(super) consume_client_cpu_seconds_per_gib: f64,
    /// What the fixed-rate run reached: where it is below its rate, its latency is that of a queue.
    pub(super) paced_mib_per_second: f64,
    pub(super) paced_average_ms: f64,
    pub(super) paced_p50_ms: f64,
    pub(super) paced_p95_ms: f64,
    pub(super) paced_p99_ms: f64,
    pub(super) paced_p999_ms: f64,
    pub(super) paced_cpu_seconds_per_gib: f64,
    /// Since the server started.
    pub(super) peak_memory_mib: f64,
    /// What the waiting server used meanwhile: noise.
    pub(super) other_server_cpu_seconds: f64,
}

/// One server's clients and topics for a turn.
pub(super) struct Contender<'a> {
    pub(super) name: &'a str,
    pub(super) process: &'a Process,
    pub(super) clients: &'a Clients,
}

impl Contender<'_> {
    /// Takes one turn on `topic`, while `other` waits; `step` is told what was done.
    ///
    /// # Errors
    /// A client's.
    pub(super) fn take_turn(
        &self,
        round: u32,
        topics: (&str, &str),
        load: Load,
        other: &Process,
        step: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Turn> {
        let (topic, paced_topic) = topics;
        let other_before = other.cpu()?;

        let (produced, produce_cost) = self.measure(|| self.clients.produce(topic, load.records))?;
        let produce = produce_cost.per_gib(load.records);
        step(&format!("produced {:.1} MiB/s, {:.2} CPU s/GiB", produced.mib_per_second, produce.server));

        let (consumed, consume_cost) = self.measure(|| self.clients.consume(topic, load.records))?;
        let consume = consume_cost.per_gib(consumed.records);
        step(&format!("consumed {:.1} MiB/s, {:.2} CPU s/GiB", consumed.mib_per_second, consume.server));

        let (paced, paced_cost) = self
            .measure(|| self.clients.produce_paced(paced_topic, load.paced_per_second, load.paced_seconds))?;
        let (_, paced_count) = paced_records(load.paced_per_second, load.paced_seconds);
        let paced_cost = paced_cost.per_gib(paced_count);
        step(&format!(
            "at a fixed rate: {:.2} ms average, {} ms p50, {} ms p99, {:.2} CPU s/GiB",
            paced.average_ms, paced.p50_ms, paced.p99_ms, paced_cost.server
        ));

        Ok(Turn {
            server: self.name.to_owned(),
            round,
            records: load.records,
            produce_mib_per_second: produced.mib_per_second,
            produce_cpu_seconds_per_gib: produce.server,
            produce_client_cpu_seconds_per_gib: produce.client,
            consume_mib_per_second: consumed.mib_per_second,
            consume_cpu_seconds_per_gib: consume.server,
            consume_client_cpu_seconds_per_gib: consume.client,
            paced_mib_per_second: paced.mib_per_second,
            paced_average_ms: paced.average_ms,
            paced_p50_ms: paced.p50_ms,
            paced_p95_ms: paced.p95_ms,
            paced_p99_ms: paced.p99_ms,
            paced_p999_ms: paced.p999_ms,
            paced_cpu_seconds_per_gib: paced_cost.server,
            peak_memory_mib: self.process.memory()?.peak_kib as f64 / KIB_PER_MIB,
            other_server_cpu_seconds: other.cpu()?.saturating_sub(other_before).as_secs_f64(),
        })
    }

    /// Runs a client and says what it cost. Starts with nothing left to be written from earlier runs.
    fn measure<T>(&self, run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Cost)> {
        rustix::fs::sync();
        let (server, client) = (self.process.cpu()?, cpu_of_ended()?);
        let result = run()?;
        let cost = Cost {
            server: self.process.cpu()?.saturating_sub(server),
            client: cpu_of_ended()?.saturating_sub(client),
        };
        Ok((result, cost))
    }
}

/// CPU time.
#[derive(Clone, Copy, Debug)]
struct Cost {
    server: Duration,
    client: Duration,
}

/// CPU seconds per GiB of values.
#[derive(Clone, Copy, Debug, PartialEq)]
struct CostPerGib {
    server: f64,
    client: f64,
}

impl Cost {
    fn per_gib(self, records: u64) -> CostPerGib {
        let gib = (records * RECORD_BYTES) as f64 / GIB;
        CostPerGib { server: self.server.as_secs_f64() / gib, client: self.client.as_secs_f64() / gib }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_rate_that_was_not_reached_shows() {
        let load = Load { records: 1, paced_per_second: 5120, paced_seconds: 1 };
        assert!(load.is_kept_by(5.0) && load.is_kept_by(4.9));
        assert!(!load.is_kept_by(4.5));
    }

    #[test]
    fn a_cost_is_stated_per_gib_of_values() {
        let cost = Cost { server: Duration::from_millis(1500), client: Duration::from_secs(4) };
        assert_eq!(cost.per_gib(512 * 1024), CostPerGib { server: 3.0, client: 8.0 });
    }
}
