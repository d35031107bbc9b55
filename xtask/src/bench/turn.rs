//! One turn: produce, consume, produce at a fixed rate, and what each cost.

use std::time::Duration;

use serde::Serialize;

use super::administration::{PACED_TOPIC, topic};
use super::clients::{Clients, Latency, paced_records};
use super::process::{Process, cpu_of_ended};
use super::results::Named;
use super::shape::Shape;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
const KIB_PER_MIB: f64 = 1024.0;

/// How much load one turn makes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Load {
    pub(super) shape: Shape,
    pub(super) records: u64,
    /// 0 for no run at a fixed rate.
    pub(super) paced_per_second: u64,
    /// Without the warm-up of the client.
    pub(super) paced_seconds: u64,
}

impl Load {
    /// Whether a fixed-rate run that reached so many MiB/s kept its rate, within what timers allow.
    pub(super) fn is_kept_by(&self, mib_per_second: f64) -> bool {
        mib_per_second >= self.paced_mib_per_second() * 0.97
    }

    pub(super) fn paced_mib_per_second(&self) -> f64 {
        (self.paced_per_second * self.shape.record_bytes) as f64 / (KIB_PER_MIB * KIB_PER_MIB)
    }

    /// Bytes of values that one turn writes.
    pub(super) fn bytes(&self) -> u64 {
        let (_, paced) = paced_records(self.paced_per_second, self.paced_seconds);
        (self.records + paced) * self.shape.record_bytes
    }
}

/// What one turn measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Turn {
    /// Whose turn it was.
    pub(super) server: String,
    pub(super) round: u32,
    pub(super) records: u64,
    pub(super) produce: Run,
    pub(super) consume: Run,
    /// Where it is below the fixed rate, its latency is that of a queue. Not measured in every comparison.
    pub(super) paced: Run,
    /// Until the acknowledgement.
    pub(super) latency: Latency,
    /// Until a consumer has the record.
    pub(super) delivery: Latency,
    pub(super) peak_memory_mib: f64,
    /// The process that the costs of `other` are of.
    pub(super) other: String,
    pub(super) other_peak_memory_mib: f64,
    /// In the whole turn.
    pub(super) other_cpu_seconds: f64,
}

/// One run of a client, and its costs in CPU seconds per GiB of the records' values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Run {
    pub(super) mib_per_second: f64,
    pub(super) server_cpu: f64,
    pub(super) other_cpu: f64,
    pub(super) client_cpu: f64,
}

/// Two processes that run, and the clients whose turn it is.
pub(super) struct Contender<'a> {
    pub(super) named: Named,
    pub(super) clients: Clients,
    /// The server that stores the records.
    pub(super) server: &'a Process,
    /// The other process: one that waits meanwhile, or that passes on what the clients send.
    pub(super) other: &'a Process,
}

impl Contender<'_> {
    /// Takes one turn on topics that were made for it; `step` is told what was done.
    ///
    /// # Errors
    /// A client's.
    pub(super) fn take_turn(
        &self,
        round: u32,
        load: Load,
        step: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Turn> {
        let turn_topic = self.topic(load.shape, &round.to_string());
        let other_before = self.other.cpu()?;

        let (produced, cost) =
            self.measure(|| self.clients.produce(&turn_topic, load.records, load.shape))?;
        let produce = cost.of_run(produced.records * load.shape.record_bytes, produced.mib_per_second);
        step(&format!("produced {}", produce.words()));

        let consume = self.read(&turn_topic, &turn_topic, load, step)?;

        let (paced, latency, delivery) = if load.paced_per_second == 0 {
            (Run::NOT_MEASURED, Latency::NOT_MEASURED, Latency::NOT_MEASURED)
        } else {
            self.take_paced_turn(load, step)?
        };
        self.turn(round, load, other_before, [produce, consume, paced], [latency, delivery])
    }

    /// Writes records that are read later.
    ///
    /// # Errors
    /// A client's.
    pub(super) fn write(&self, name: &str, load: Load) -> anyhow::Result<()> {
        self.clients.produce(&self.topic(load.shape, name), load.records, load.shape).map(drop)
    }

    /// Takes a turn that only reads what [`Contender::write`] wrote.
    ///
    /// # Errors
    /// A client's.
    pub(super) fn take_reading_turn(
        &self,
        name: &str,
        round: u32,
        load: Load,
        step: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Turn> {
        let other_before = self.other.cpu()?;
        let topic = self.topic(load.shape, name);
        let consume = self.read(&topic, &format!("{topic}-{round}"), load, step)?;
        let missing = Latency::NOT_MEASURED;
        self.turn(
            round,
            load,
            other_before,
            [Run::NOT_MEASURED, consume, Run::NOT_MEASURED],
            [missing, missing],
        )
    }

    fn read(&self, topic: &str, group: &str, load: Load, step: &mut dyn FnMut(&str)) -> anyhow::Result<Run> {
        let (consumed, cost) = self.measure(|| self.clients.consume(topic, group, load.records))?;
        let run = cost.of_run(consumed.records * load.shape.record_bytes, consumed.mib_per_second);
        step(&format!("consumed {}", run.words()));
        Ok(run)
    }

    /// What a turn found, with what the processes say at its end.
    fn turn(
        &self,
        round: u32,
        load: Load,
        other_before: Duration,
        [produce, consume, paced]: [Run; 3],
        [latency, delivery]: [Latency; 2],
    ) -> anyhow::Result<Turn> {
        Ok(Turn {
            server: self.named.name.clone(),
            round,
            records: load.records,
            produce,
            consume,
            paced,
            latency,
            delivery,
            peak_memory_mib: self.server.memory()?.peak_kib as f64 / KIB_PER_MIB,
            other: self.other.name().to_owned(),
            other_peak_memory_mib: self.other.memory()?.peak_kib as f64 / KIB_PER_MIB,
            other_cpu_seconds: self.other.cpu()?.saturating_sub(other_before).as_secs_f64(),
        })
    }

    fn take_paced_turn(
        &self,
        load: Load,
        step: &mut dyn FnMut(&str),
    ) -> anyhow::Result<(Run, Latency, Latency)> {
        let topic = self.topic(load.shape, PACED_TOPIC);
        let Load { shape, paced_per_second, paced_seconds, .. } = load;
        let (kept, cost) = self.measure(|| {
            self.clients.run_paced(&topic, shape.record_bytes, paced_per_second, paced_seconds)
        })?;
        let (_, records) = paced_records(paced_per_second, paced_seconds);
        let run = cost.of_run(records * shape.record_bytes, kept.mib_per_second);
        step(&format!(
            "at a fixed rate {}, acknowledged after {:.2} ms (p50), {:.2} ms (p99), delivered after {:.2} ms, \
             {:.2} ms",
            run.words(),
            kept.acknowledged.p50_ms,
            kept.acknowledged.p99_ms,
            kept.delivered.p50_ms,
            kept.delivered.p99_ms
        ));
        Ok((run, kept.acknowledged, kept.delivered))
    }

    fn topic(&self, shape: Shape, name: &str) -> String {
        topic(&self.named.name, shape, name)
    }

    /// Runs a client and says what it cost. Starts with nothing left to be written from earlier runs.
    fn measure<T>(&self, run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Cost)> {
        rustix::fs::sync();
        let (server, other, client) = (self.server.cpu()?, self.other.cpu()?, cpu_of_ended()?);
        let result = run()?;
        let cost = Cost {
            server: self.server.cpu()?.saturating_sub(server),
            other: self.other.cpu()?.saturating_sub(other),
            client: cpu_of_ended()?.saturating_sub(client),
        };
        Ok((result, cost))
    }
}

/// CPU time.
#[derive(Clone, Copy, Debug)]
struct Cost {
    server: Duration,
    other: Duration,
    client: Duration,
}

impl Cost {
    fn of_run(self, bytes: u64, mib_per_second: f64) -> Run {
        let gib = bytes as f64 / GIB;
        let [server_cpu, other_cpu, client_cpu] =
            [self.server, self.other, self.client].map(|time| time.as_secs_f64() / gib);
        Run { mib_per_second, server_cpu, other_cpu, client_cpu }
    }
}

impl Run {
    const NOT_MEASURED: Self =
        Self { mib_per_second: f64::NAN, server_cpu: f64::NAN, other_cpu: f64::NAN, client_cpu: f64::NAN };

    fn words(&self) -> String {
        format!(
            "{:.1} MiB/s, CPU s/GiB: server {:.2}, other {:.2}",
            self.mib_per_second, self.server_cpu, self.other_cpu
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_rate_that_was_not_reached_shows() {
        let load = Load { shape: Shape::USUAL, records: 1, paced_per_second: 5120, paced_seconds: 1 };
        assert!(load.is_kept_by(5.0) && load.is_kept_by(4.9));
        assert!(!load.is_kept_by(4.5));
    }

    #[test]
    fn a_turn_writes_its_records_and_those_of_the_fixed_rate_with_its_warm_up() {
        let load = Load { shape: Shape::USUAL, records: 1000, paced_per_second: 10, paced_seconds: 2 };
        assert_eq!(load.bytes(), 1050 * 1024);
    }

    #[test]
    fn a_cost_is_stated_per_gib_of_values() {
        let cost = Cost {
            server: Duration::from_millis(1500),
            other: Duration::from_millis(250),
            client: Duration::from_secs(4),
        };
        let run = Run { mib_per_second: 7.0, server_cpu: 3.0, other_cpu: 0.5, client_cpu: 8.0 };
        assert_eq!(cost.of_run(512 * 1024 * 1024, 7.0), run);
    }
}
