//! The clients that make the load: Kafka's own performance tools, and its producer with a finer clock.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::account::Account;
use super::java::Java;
use super::process::{Process, last_lines};
use super::shape::Shape;
use crate::root;

/// Records of a fixed-rate run are not counted for this long at its start, while the client's Java warms up.
const PACED_WARM_UP_SECONDS: u64 = 3;
/// What one run of a client may take.
const RUN_LIMIT: Duration = Duration::from_secs(240);
/// As in `kafka-producer-perf-test.sh` and `kafka-consumer-perf-test.sh`.
const JVM: &[&str] = &["-Xmx512M"];

/// What a producing tool says at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Produced {
    pub(super) records: u64,
    pub(super) mib_per_second: f64,
    pub(super) latency: Latency,
}

/// What a run at a fixed rate says at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Paced {
    pub(super) mib_per_second: f64,
    /// From before a record is sent to its acknowledgement.
    pub(super) acknowledged: Latency,
    /// From before a record is sent until a consumer has it.
    pub(super) delivered: Latency,
}

/// How long records took, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) average_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
}

/// What the consuming tool says at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Consumed {
    pub(super) records: u64,
    /// Without the time until the group had its members.
    pub(super) mib_per_second: f64,
}

impl Latency {
    pub(super) const NOT_MEASURED: Self = Self {
        average_ms: f64::NAN,
        p50_ms: f64::NAN,
        p95_ms: f64::NAN,
        p99_ms: f64::NAN,
        p999_ms: f64::NAN,
    };
}

/// The two accounts of one server, and what runs with them.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) java: Rc<Java>,
    pub(super) bootstrap: String,
    pub(super) producer: Account,
    pub(super) consumer: Account,
    /// Where each run leaves its output.
    pub(super) logs: PathBuf,
    /// What values are chosen from, instead of random letters.
    pub(super) payloads: Option<PathBuf>,
}

impl Clients {
    /// Writes records as fast as it goes.
    ///
    /// # Errors
    /// The tool fails or some record was not acknowledged.
    pub(super) fn produce(&self, topic: &str, records: u64, shape: Shape) -> anyhow::Result<Produced> {
        let mut command = self.java.command(JVM, "org.apache.kafka.tools.ProducerPerformance");
        command
            .args(["--bootstrap-server", &self.bootstrap, "--topic", topic, "--throughput", "-1"])
            .args(["--num-records", &records.to_string()])
            .arg("--command-config")
            .arg(&self.producer.properties)
            .args(["--command-property", "acks=all", "--command-property"])
            .arg(format!("compression.type={}", shape.compression.word()));
        match &self.payloads {
            Some(file) => command.arg("--payload-file").arg(file),
            None => command.args(["--record-size", &shape.record_bytes.to_string()]),
        };
        let text = self.run(&format!("produce-{topic}"), &mut command)?;
        acknowledged(&text, " records sent", records)
    }

    /// Writes at a fixed rate for some seconds while a consumer reads; the result is without the first ones.
    ///
    /// # Errors
    /// As of [`Clients::produce`], or some record was not delivered.
    pub(super) fn run_paced(
        &self,
        topic: &str,
        record_bytes: u64,
        per_second: u64,
        seconds: u64,
    ) -> anyhow::Result<Paced> {
        let (warm_up, records) = paced_records(per_second, seconds);
        let program = root().join("xtask/src/bench/PacedClients.java");
        let mut command = self.java.command(JVM, &program.display().to_string());
        command
            .arg(&self.producer.properties)
            .arg(&self.consumer.properties)
            .args([&self.bootstrap, topic])
            .args([record_bytes, per_second, warm_up, records].map(|number| number.to_string()));
        let text = self.run(&format!("paced-{topic}"), &mut command)?;
        let counted = records - warm_up;
        let sent = acknowledged(&text, " steady state records sent", counted)?;
        let delivered = acknowledged(&text, " steady state records delivered", counted)?;
        Ok(Paced {
            mib_per_second: sent.mib_per_second,
            acknowledged: sent.latency,
            delivered: delivered.latency,
        })
    }

    /// Reads that many records from the start of the topic as a group, which must be new.
    ///
    /// # Errors
    /// The tool fails or gets fewer.
    pub(super) fn consume(&self, topic: &str, group: &str, records: u64) -> anyhow::Result<Consumed> {
        let name = format!("consume-{group}");
        let mut command = self.java.command(JVM, "org.apache.kafka.tools.ConsumerPerformance");
        command
            .args(["--bootstrap-server", &self.bootstrap, "--topic", topic, "--group", group])
            .args(["--num-records", &records.to_string(), "--timeout", "30000"])
            .arg("--command-config")
            .arg(&self.consumer.properties);
        let text = self.run(&name, &mut command)?;
        let consumed = consumed(&text).context("the consumer printed no result")?;
        if consumed.records < records {
            bail!("{name}: only {} of {records} records came:\n{}", consumed.records, last_lines(&text));
        }
        Ok(consumed)
    }

    fn run(&self, name: &str, command: &mut Command) -> anyhow::Result<String> {
        let log = self.logs.join(format!("{name}.log"));
        Process::start(name, command, &log)?.wait(RUN_LIMIT)?;
        Ok(fs::read_to_string(&log)?)
    }
}

/// How many records a fixed-rate run warms up with, and how many it writes in all.
pub(super) fn paced_records(per_second: u64, seconds: u64) -> (u64, u64) {
    (per_second * PACED_WARM_UP_SECONDS, per_second * (PACED_WARM_UP_SECONDS + seconds))
}

/// What a producer says in `words` about its end.
///
/// # Errors
/// It says nothing, or that fewer records were acknowledged.
fn acknowledged(text: &str, words: &str, records: u64) -> anyhow::Result<Produced> {
    let produced = summary(text, words)
        .with_context(|| format!("a producer printed no result:\n{}", last_lines(text)))?;
    if produced.records != records {
        bail!("{} of {records} records were acknowledged:\n{}", produced.records, last_lines(text));
    }
    Ok(produced)
}

/// Reads the last line such as `9 records sent, 1.0 records/sec (0.10 MB/sec), 2.00 ms avg latency, 3.00 ms max
/// latency, 2 ms 50th, 2 ms 95th, 3 ms 99th, 3 ms 99.9th.`; lines on the way have no percentiles.
fn summary(text: &str, words: &str) -> Option<Produced> {
    let line = text.lines().rfind(|line| {
        line.split_once(words).is_some_and(|(count, _)| count.parse::<u64>().is_ok())
            && line.contains("ms 99.9th")
    })?;
    let before = |ending: &str| {
        let part = line
            .split([',', '('])
            .find_map(|part| part.trim().trim_end_matches(['.', ')']).strip_suffix(ending))?;
        part.trim().parse().ok()
    };
    Some(Produced {
        records: line.split_once(words)?.0.parse().ok()?,
        mib_per_second: before("MB/sec")?,
        latency: Latency {
            average_ms: before("ms avg latency")?,
            p50_ms: before("ms 50th")?,
            p95_ms: before("ms 95th")?,
            p99_ms: before("ms 99th")?,
            p999_ms: before("ms 99.9th")?,
        },
    })
}

/// Reads the line under the header `start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg,
/// nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec`.
fn consumed(text: &str) -> Option<Consumed> {
    text.lines().rev().find_map(|line| {
        let fields: Vec<&str> = line.split(", ").collect();
        let [_, _, _, _, records, _, _, _, mib_per_second, _] = fields.as_slice() else { return None };
        Some(Consumed { records: records.parse().ok()?, mib_per_second: mib_per_second.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: &str = "\
[main] INFO org.apache.kafka.common.security.authenticator.AbstractLogin - Successfully logged in.
24971 records sent, 4994.2 records/sec (4.88 MB/sec), 1.5 ms avg latency, 271.0 ms max latency.
64971 records sent, 4996.5 records/sec (4.88 MB/sec), 1.49 ms avg latency, 271.00 ms max latency, 1 ms 50th, 2 ms 95th, 12 ms 99th, 40 ms 99.9th.
";
    const PACED: &str = "\
50000 steady state records sent, 4990.5 records/sec (4.874 MB/sec), 0.901 ms avg latency, 20.015 ms max latency, 0.812 ms 50th, 2.043 ms 95th, 7.250 ms 99th, 15.002 ms 99.9th.
";

    #[test]
    fn the_result_of_a_producer_is_its_last_line() {
        let latency = Latency { average_ms: 1.49, p50_ms: 1.0, p95_ms: 2.0, p99_ms: 12.0, p999_ms: 40.0 };
        let total = acknowledged(PRODUCER, " records sent", 64_971).unwrap();
        assert_eq!(total, Produced { records: 64_971, mib_per_second: 4.88, latency });
        let latency =
            Latency { average_ms: 0.901, p50_ms: 0.812, p95_ms: 2.043, p99_ms: 7.25, p999_ms: 15.002 };
        let steady = acknowledged(PACED, " steady state records sent", 50_000).unwrap();
        assert_eq!(steady, Produced { records: 50_000, mib_per_second: 4.874, latency });
    }

    #[test]
    fn a_producer_that_did_not_end_well_has_no_result() {
        let cut = PRODUCER.lines().take(2).collect::<Vec<_>>().join("\n");
        assert!(acknowledged(&cut, " records sent", 64_971).is_err());
        assert!(acknowledged("", " records sent", 0).is_err());
        let fewer = acknowledged(PRODUCER, " records sent", 70_000).unwrap_err().to_string();
        assert!(fewer.contains("64971 of 70000"), "{fewer}");
        assert!(acknowledged(PACED, " records sent", 50_000).is_err(), "only the steady state");
    }

    #[test]
    fn the_result_of_a_consumer_counts_the_time_of_fetching_only() {
        let text = "\
[main] INFO org.apache.kafka.tools.ConsumerPerformance - Starting consumer...
start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-01-01 10:00:00:123, 2026-01-01 10:00:10:123, 976.5625, 97.6563, 1000000, 100000.0000, 3500, 6500, 150.2404, 153846.1538
";
        assert_eq!(consumed(text), Some(Consumed { records: 1_000_000, mib_per_second: 150.2404 }));
        assert_eq!(consumed("start.time, end.time\n"), None);
        assert_eq!(consumed(text.lines().nth(1).unwrap()), None, "a header is no result");
    }

    #[test]
    fn a_paced_run_warms_up_before_it_counts() {
        assert_eq!(paced_records(5000, 10), (15_000, 65_000));
    }
}
